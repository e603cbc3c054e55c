defmodule Ambix.ExamplesTest do
  # The examples in the documentation that are no doctests: each is run, with the paths and names of this machine in the place of theirs.
  use ExUnit.Case, async: true

  alias Ambix.Test.Needs

  @moduletag :tmp_dir

  {:ok, modules} = :application.get_key(:ambix, :modules)

  # Code blocks of Elixir: those of mix tasks are command lines.
  @examples for module <- modules,
                not String.starts_with?(inspect(module), "Mix.Tasks"),
                {:docs_v1, _, _, _, doc, _, functions} <- [Code.fetch_docs(module)],
                {name, %{"en" => text}} <-
                  [
                    {:moduledoc, doc}
                    | for({{_, name, arity}, _, _, text, _} <- functions, do: {"#{name}/#{arity}", text})
                  ],
                [block] <-
                  Regex.scan(
                    ~r/^(?: {4}.*\n+)+/m,
                    String.replace(text, ~r/^ *\* .*\n(?: +.*\n)*/m, "") <> "\n"
                  ),
                not (block =~ ~r/^\s*(iex>|mix )/),
                do: {"#{inspect(module)} #{name}", block}

  # What an example needs, and what is written in it that has to be this machine's. Those without it are read only.
  @run %{
    "Ambix.Agent moduledoc" => nil,
    "Ambix.EmbeddingCache moduledoc" => Needs.model("all-MiniLM-L6-v2"),
    "Ambix.Graph moduledoc" => nil,
    "Ambix.Index moduledoc" => nil,
    "Ambix.Index grep/3" => nil,
    "Ambix.Index open/2" => nil,
    "Ambix.Index.Chunks moduledoc" => nil,
    "Ambix.Model moduledoc" => Needs.model("SmolLM2-135M-Instruct"),
    "Ambix.Options moduledoc" => nil
  }

  test "there are examples" do
    names = Enum.map(@examples, &elem(&1, 0))
    for {name, _} <- @run, do: assert(name in names, name)
  end

  for {{name, code}, nth} <- Enum.with_index(@examples) do
    test "#{nth} of #{name} calls what there is" do
      {:ok, quoted} = Code.string_to_quoted(unquote(code))

      # A call at the end of a pipe has one argument more.
      {piped, calls} =
        Macro.prewalk(quoted, [], fn
          {:|>, meta, [left, {call, more, arguments}]}, calls when is_list(arguments) ->
            {{:|>, meta, [left, {call, more, [:piped | arguments]}]}, calls}

          node, calls ->
            {node, calls}
        end)

      {_, calls} =
        Macro.prewalk(piped, calls, fn
          {{:., _, [{:__aliases__, _, [:Ambix | _] = parts}, name]}, _, arguments} = node, calls ->
            {node, [{Module.concat(parts), name, length(arguments)} | calls]}

          node, calls ->
            {node, calls}
        end)

      for {module, name, arity} <- calls do
        assert Code.ensure_loaded?(module), inspect(module)
        assert function_exported?(module, name, arity), "#{inspect(module)}.#{name}/#{arity}"
      end
    end

    if Map.has_key?(@run, name) do
      @tag skip: @run[name]
      test "#{nth} of #{name} runs", %{tmp_dir: dir} do
        project = project(dir)
        {:ok, index} = Ambix.Index.build(project)

        code =
          unquote(code)
          |> String.replace("\"path/to/project\"", inspect(project))
          |> String.replace("build(\".\")", "build(#{inspect(project)})")
          |> String.replace("\"code.ambix\"", inspect(Path.join(dir, "code.ambix")))
          |> String.replace("EmbeddingCache.open()", "EmbeddingCache.open(memory: true)")
          |> String.replace("&MyApp.describe/1", "&Map.keys/1")
          |> String.replace("defmodule Countdown", "defmodule Ambix.ExamplesTest.Countdown")
          |> String.replace("(Countdown", "(Ambix.ExamplesTest.Countdown")

        folder = with {:ok, path} <- Ambix.Models.path("all-MiniLM-L6-v2"), do: path, else: (_ -> nil)
        bindings = [index: index, folder: folder, opts: [limit: 3]]

        # A tree that an example starts is not started by it.
        unless code =~ "children =" do
          ExUnit.CaptureIO.capture_io(fn ->
            ExUnit.CaptureIO.capture_io(:stderr, fn -> Code.eval_string(code, bindings) end)
          end)
        end
      end
    end
  end

  defp project(dir) do
    root = Path.join(dir, "shop")
    File.mkdir_p!(Path.join(root, "lib"))

    File.write!(Path.join(root, "lib/cart.ex"), """
    defmodule Shop.Cart do
      @doc "Where prices are rounded."
      def add(cart, price), do: [round(price) | cart]
      def handle_call(price, cart), do: add(cart, price)
    end
    """)

    for words <- [~w(init -q), ~w(add .), ~w(-c user.name=a -c user.email=a@b commit -q -m a)],
        do: {_, 0} = System.cmd("git", words, cd: root)

    root
  end
end
