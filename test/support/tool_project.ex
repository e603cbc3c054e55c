defmodule Ambix.Test.ToolProject do
  @moduledoc "A small project for the tools that read: a shop, its tests, a dependency, and what lies around it."

  @files %{
    "mix.exs" => "defmodule Shop.MixProject do\n  def project, do: [app: :shop, version: \"0.1.0\"]\nend\n",
    "mix.lock" => ~s(%{"tea": {:hex, :tea, "1.2.3", "0a", [:mix], [], "hexpm", "0b"}}\n),
    ".gitignore" => "/deps\n.env\n",
    ".env" => "SECRET=1\n",
    "deps/tea/lib/tea.ex" => ~S'''
    defmodule Tea do
      @doc "Pours hot water over the leaves."
      def brew(leaves), do: {:steeping, warm(leaves)}
      defp warm(leaves), do: leaves
    end
    ''',
    "lib/shop/cart.ex" => ~S'''
    defmodule Shop.Cart do
      @moduledoc "What a customer wants to buy."

      alias Shop.{Repo, Tax}

      @doc """
      Puts an item into the cart.

      Twice is twice.
      """
      @spec add(list, map) :: list
      def add(cart, item), do: [item | cart]

      @doc "What the whole cart costs, with tax."
      def total(cart) do
        cart
        |> Enum.map(& &1.price)
        |> Enum.sum()
        |> Tax.with_tax()
      end

      def load(id), do: Repo.get!(__MODULE__, id)
      def other(id), do: __MODULE__ |> Repo.get!(id)
      defp hidden(cart) when is_list(cart), do: Tea.brew(cart)
      def shown(cart), do: hidden(cart)
    end
    ''',
    "lib/shop/tax.ex" => ~S'''
    defmodule Shop.Tax do
      @rate 19
      @doc "An amount with the tax of the country added."
      def with_tax(amount), do: amount + div(amount * @rate, 100)
    end
    ''',
    "lib/shop/repo.ex" => ~S'''
    defmodule Shop.Repo do
      @callback get(term) :: term
      def get!(_schema, id), do: %{id: id}
    end
    ''',
    "lib/shop/memory.ex" => ~S'''
    defmodule Shop.Memory do
      @behaviour Shop.Repo
      @impl true
      def get(id), do: id
    end
    ''',
    "test/cart_test.exs" => ~S'''
    defmodule Shop.CartTest do
      use ExUnit.Case
      test "adds up", do: assert(Shop.Cart.total([%{price: 100}]) == 119)
    end
    '''
  }

  @doc "Writes the project below a folder and gives its root. `more` are files beside those of the shop."
  def write(folder, more \\ %{}) do
    folder |> Path.join("shop") |> Ambix.Test.Setup.write(Map.merge(@files, more))
  end

  @doc "A file with many functions, each calling the one before."
  def long(count) do
    functions =
      for nth <- 1..count do
        "  @doc \"Step #{nth} of a long way.\"\n  def step_#{nth}(value), do: step_#{max(nth - 1, 1)}(value + #{nth})\n\n"
      end

    "defmodule Shop.Long do\n#{functions}end\n"
  end
end
