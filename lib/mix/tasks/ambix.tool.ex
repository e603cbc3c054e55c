defmodule Mix.Tasks.Ambix.Tool do
  @shortdoc "Asks a tool that coding agents have, and prints what they would read"

  alias Ambix.{CLI, Error, Options, Tool}
  alias Ambix.CLI.{Args, Progress, Workspace}

  @options Args.common([:root, :index, :nested_repositories, :any_root, :json, :quiet]) ++
             Options.take(Options.of(Tool.Host, :start_link), [:allow_paths]) ++
             [
               tokens: [
                 type: :pos_integer,
                 default: 4000,
                 arg: "N",
                 doc: "how many tokens the answer may have"
               ]
             ]

  @workspace [:root, :index, :nested_repositories, :any_root, :quiet]

  # Which options of a tool the arguments are, in order. A list takes all that are left, and the last of the others the words of a question.
  @arguments %{
    "search" => [:query],
    "read" => [:targets],
    "relations" => [:relation, :of, :to],
    "check" => [],
    "run_tests" => [:tests],
    "fix" => [:target]
  }

  @moduledoc """
  Calls one of the tools of `Ambix.Tool` as the server for coding agents does, and prints the text of its answer.

      mix ambix.tool search how is an order paid
      mix ambix.tool read Shop.Cart.add/2 --with callers
      mix ambix.tool relations callers Shop.Cart.add/2
      mix ambix.tool check
      mix ambix.tool run_tests --changed
      mix ambix.tool fix test/cart_test.exs:12

  `mix ambix.tool NAME --help` prints the options of a tool. On the command line `:detail` is `--detail outline`, and a list has commas:
  `--paths lib/shop,test`. Texts of edits that are not saved can be given by programs alone.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv) do
    # The name may stand behind options, but a value of an option is none.
    {_, words, _} = OptionParser.parse(argv, strict: [json: :boolean, quiet: :boolean])

    case Enum.find(Tool.all(), &(&1.tool().name in Enum.take(words, 1))) do
      nil ->
        CLI.main(argv, __MODULE__, @options, &unknown/2)

      module ->
        tool = module.tool()
        CLI.main(argv -- [tool.name], module, schema(tool), &ask(module, &1, &2))
    end
  end

  defp unknown(_words, _opts) do
    names = Enum.map_join(Tool.all(), ", ", & &1.tool().name)
    CLI.usage("mix ambix.tool expects the name of a tool first: #{names}")
  end

  # What is required may come as an argument; the tool says what is missing.
  defp schema(tool) do
    input = for {key, spec} <- tool.input, writable?(spec[:type]), do: {key, Keyword.delete(spec, :required)}
    @options ++ input
  end

  defp writable?({:map, _}), do: false
  defp writable?(type), do: type != :map

  defp ask(module, words, opts) do
    tool = module.tool()

    with {:ok, given} <- given(@arguments[tool.name], words, tool),
         {:ok, host} <- host(tool, opts),
         {:ok, answer} <- called(module, Map.merge(named(tool, opts), given), host, opts) do
      if opts[:json], do: CLI.say_json(answer.data), else: CLI.say(answer.text)
    end
  end

  defp called(module, arguments, host, opts) do
    Progress.run([quiet: opts[:quiet]], fn progress ->
      Tool.call(module, arguments, %Tool.Call{host: host, budget: opts[:tokens], progress: progress})
    end)
  end

  defp given(_keys, [], _tool), do: {:ok, %{}}

  defp given([], words, tool),
    do: CLI.usage("#{tool.name} takes no argument, got #{Enum.join(words, " ")}")

  defp given([key | keys], [word | rest] = words, tool) do
    case {tool.input[key][:type], keys} do
      {{:list, _}, _} -> {:ok, %{"#{key}" => words}}
      {:string, []} -> {:ok, %{"#{key}" => Enum.join(words, " ")}}
      _ -> with {:ok, more} <- given(keys, rest, tool), do: {:ok, Map.put(more, "#{key}", word)}
    end
  end

  # As JSON has them.
  defp named(tool, opts) do
    for {key, _} <- tool.input, value = opts[key], value not in [nil, [], false], into: %{} do
      {"#{key}", plain(value)}
    end
  end

  defp plain(value) when is_boolean(value), do: value
  defp plain(value) when is_atom(value), do: Atom.to_string(value)
  defp plain(values) when is_list(values), do: Enum.map(values, &plain/1)
  defp plain(value), do: value

  # What reads needs the index, and so does the choice of tests that an edit reaches.
  defp host(tool, opts) do
    allowed = opts[:allow_paths]

    if tool.effect == :read or opts[:changed] do
      # What is asked of dependencies, and within which paths, is the tool's to say.
      with {:ok, host} <- opts |> Keyword.take(@workspace) |> Workspace.host(),
           do: {:ok, %{host | allow_paths: allowed}}
    else
      root = Path.expand(opts[:root])

      if File.dir?(root),
        do: {:ok, %Tool.Host{root: root, index: nil, allow_paths: allowed}},
        else: {:error, Error.new(:not_found, "there is no folder #{root}; give another --root")}
    end
  end
end
