defmodule Ambix.Sandbox.Fixture do
  @moduledoc false
  # Small Mix projects in temporary folders.

  @mix """
  defmodule Tiny.MixProject do
    use Mix.Project
    def project, do: [app: :tiny, version: "0.1.0", deps: []]
    def application, do: [mod: {Tiny.Application, []}]
  end
  """

  @tiny %{
    "mix.exs" => @mix,
    "lib/application.ex" => """
    defmodule Tiny.Application do
      use Application
      def start(_, _), do: Supervisor.start_link([Tiny.Counter], strategy: :one_for_one)
    end
    """,
    "lib/counter.ex" => """
    defmodule Tiny.Counter do
      use Agent
      def start_link(_), do: Agent.start_link(fn -> 0 end, name: __MODULE__)
      def next, do: Agent.get_and_update(__MODULE__, &{&1 + 1, &1 + 1})
    end
    """,
    "lib/cart.ex" => """
    defmodule Tiny.Cart do
      @moduledoc false
      defstruct items: []

      def add(cart, price, quantity), do: %{cart | items: [{price, quantity} | cart.items]}

      def total(cart) do
        cart.items
        |> Enum.map(fn {price, quantity} -> price + quantity end)
        |> Enum.sum()
      end

      @doc \"\"\"
      Doubles.

          iex> Tiny.Cart.double(4)
          8
      \"\"\"
      def double(x), do: x * 2
    end
    """,
    "lib/macros.ex" => """
    defmodule Tiny.Macros do
      defmacro thrice(x), do: quote(do: unquote(x) * 3)
    end
    """,
    "test/test_helper.exs" => "ExUnit.start(exclude: [:slow])\n",
    "test/cart_test.exs" => """
    defmodule Tiny.CartTest do
      use ExUnit.Case, async: true
      doctest Tiny.Cart
      alias Tiny.Cart

      describe "total/1" do
        test "multiplies" do
          cart = Cart.add(%Cart{}, 3, 4)
          assert Cart.total(cart) == 12
        end

        test "of nothing is zero" do
          assert Cart.total(%Cart{}) == 0
        end
      end

      @tag :slow
      test "is excluded" do
        flunk("never")
      end

      @tag :skip
      test "is skipped" do
        flunk("never")
      end
    end
    """,
    "test/other_test.exs" => """
    defmodule Tiny.OtherTest do
      use ExUnit.Case
      require Tiny.Macros

      test "counts from one in each run" do
        assert Tiny.Counter.next() == 1
      end

      test "macro" do
        assert Tiny.Macros.thrice(2) == 6
      end

      test "leaves traces" do
        assert Process.whereis(:left_behind) == nil
        assert Application.get_env(:tiny, :left_behind) == nil
        parent = self()
        spawn(fn -> Process.register(self(), :left_behind); send(parent, :done); Process.sleep(:infinity) end)
        assert_receive :done
        Application.put_env(:tiny, :left_behind, true)
      end
    end
    """
  }

  @doc "Writes the tiny project with `changes` (`nil` deletes a file) to a new folder, and answers with its path."
  def create(changes \\ %{}) do
    folder =
      Path.join(System.tmp_dir!(), "ambix-fixture-#{System.unique_integer([:positive])}-#{System.pid()}")

    for {path, text} <- Map.merge(@tiny, changes), text != nil, do: write(folder, path, text)
    ExUnit.Callbacks.on_exit(fn -> File.rm_rf!(folder) end)
    folder
  end

  @doc "The text of a file of the tiny project, with something replaced."
  def edited(path, from, to) do
    text = Map.fetch!(@tiny, path)
    true = text =~ from
    String.replace(text, from, to)
  end

  def write(folder, path, text) do
    path = Path.join(folder, path)
    File.mkdir_p!(Path.dirname(path))
    File.write!(path, text)
  end
end
