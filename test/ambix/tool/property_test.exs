defmodule Ambix.Tool.PropertyTest do
  # What holds of every answer, whatever is asked: as a client gets it, it is as the tool's own schema says, and within the budget.
  # Arguments are made from the schema of a tool and from what the sources hold, with numbers that are the same in each run.
  use ExUnit.Case, async: true

  alias Ambix.{Index, JSON, Tool}
  alias Ambix.MCP.{Fault, ToolModules}
  alias Ambix.Test.{JSONSchema, Needs, ToolCall}
  alias Ambix.Tool.{Budget, Check, Host, Read, Relations, RunTests, Search}

  @moduletag timeout: 900_000
  @root Path.expand("../../..", __DIR__)
  @calls 60
  # A client reads text and data; what frames them is not counted. Below this much a status alone has no room.
  @least_data 120

  # A call as the protocol makes it: the result is valid, and its text and its data fit.
  defp ask(module, arguments, host, budget) do
    given = %{modules: [module], host: host, budget: budget}
    [%{"name" => name, "outputSchema" => schema}] = ToolModules.list(given)
    asked = "#{name} #{inspect(arguments, printable_limit: 200)} within #{budget}"

    case ToolModules.call(name, arguments, %{progress: nil}, given) do
      {:result, %{"isError" => true, "content" => [%{"type" => "text", "text" => text}]}} ->
        refute text =~ "crashed", "#{asked}: #{text}"
        assert String.valid?(text) and byte_size(text) < 1_000, asked
        :error

      {:result, %{"isError" => false, "content" => [%{"type" => "text", "text" => text}]} = result} ->
        data = result["structuredContent"] |> JSON.encode!() |> JSON.decode!()
        assert JSONSchema.errors(data, schema) == [], asked
        assert Budget.count(text) <= budget, "#{asked}:\n#{text}"

        assert result["structuredContent"] |> JSON.encode!() |> Budget.count() <= max(budget, @least_data),
               asked

        :ok

      {:fault, %Fault{} = fault} ->
        flunk("#{asked}: #{fault.message}")
    end
  end

  ## Arguments

  # What a caller may have seen of the sources, and what no caller should send.
  defp words(index) do
    {:ok, %{lines: lines}} = Index.grep(index, "^\\s*defp? [a-z_?!]+", limit: 400)
    symbols = for %{symbol: symbol} when is_binary(symbol) <- lines, uniq: true, do: symbol
    files = for %{file: file} <- lines, uniq: true, do: file
    texts = for %{text: text} <- Enum.take_every(lines, 7), do: String.trim(text)

    odd = [
      "",
      "(",
      "\0",
      "../..",
      "/etc/passwd",
      "_",
      "...",
      "é€😀",
      String.duplicate("x", 3_000),
      "Nowhere.at_all/9"
    ]

    %{symbols: symbols, files: files, texts: texts, odd: odd}
  end

  defp arguments(module, words) do
    for {key, spec} <- module.tool().input, spec[:required] || chance(3), into: %{} do
      {Atom.to_string(key), value(key, spec[:type], words)}
    end
  end

  # One in twenty is of a wrong type.
  defp value(key, type, words),
    do: if(chance(20), do: Enum.random([nil, 1, [], %{}, "x", 1.5e300]), else: right(key, type, words))

  defp right(:targets, {:list, _}, words), do: some(fn -> target(words) end, 4)
  defp right(:tests, {:list, _}, words), do: some(fn -> text(words) end, 3)

  defp right(_key, {:list, {:in, values}}, _words),
    do: some(fn -> values |> Enum.random() |> to_string() end, 2)

  defp right(_key, {:list, _}, words),
    do: some(fn -> Enum.random(["lib", "!*.exs", "**/*.ex" | words.files]) end, 3)

  defp right(_key, {:in, values}, _words), do: values |> Enum.random() |> to_string()
  defp right(_key, {:integer, range}, _words), do: Enum.random([range.first, range.last, Enum.random(range)])
  defp right(_key, :boolean, _words), do: chance(2)
  defp right(:of, _type, words), do: Enum.random([target(words), text(words)])
  defp right(:since, _type, _words), do: Enum.random(["HEAD", "HEAD~1", "nowhere", "--output=x"])

  defp right(:change, _type, words) do
    Map.new(some(fn -> Enum.random(words.files) end, 2), &{&1, Enum.random(words.texts ++ words.odd)})
  end

  defp right(_key, _type, words), do: text(words)

  defp text(words) do
    case :rand.uniform(6) do
      1 -> Enum.random(words.odd)
      2 -> Enum.random(words.texts)
      3 -> words.symbols |> Enum.random() |> String.split(".") |> List.last()
      4 -> "#{words.symbols |> Enum.random() |> String.split("/") |> hd()}(_, ...)"
      5 -> words.texts |> Enum.random() |> String.replace(~r/\W+/, " ")
      6 -> Enum.random(words.symbols)
    end
  end

  defp target(words) do
    line = :rand.uniform(300)

    Enum.random([
      Enum.random(words.symbols),
      words.symbols |> Enum.random() |> String.split(".") |> Enum.drop(-1) |> Enum.join("."),
      Enum.random(words.files),
      "#{Enum.random(words.files)}:#{line}-#{line + :rand.uniform(200)}",
      Enum.random(words.odd)
    ])
  end

  defp some(fun, most), do: for(_ <- 1..:rand.uniform(most), do: fun.())
  defp chance(of), do: :rand.uniform(of) == 1

  # Small budgets are where it is hard.
  defp budget, do: trunc(:math.pow(10, :rand.uniform() * 4))

  ## Properties

  for {name, folder} <- [shop: "examples/shop", own: "lib"], module <- [Search, Read, Relations] do
    test "#{inspect(module)} of #{name}" do
      {:ok, index} = Index.build(Path.join(@root, unquote(folder)))
      host = Host.new(index)
      words = words(index)
      :rand.seed(:exsss, {7, 11, :erlang.phash2({unquote(name), unquote(module)})})

      answers =
        for _ <- 1..@calls, do: ask(unquote(module), arguments(unquote(module), words), host, budget())

      # Enough of what is asked has an answer for this to say something.
      assert Enum.count(answers, &(&1 == :ok)) > @calls / 8
    end
  end

  for module <- [Check, RunTests] do
    @tag skip: Needs.sandbox()
    test "#{inspect(module)} of the shop, which nothing is written to" do
      root =
        Path.join(System.tmp_dir!(), "ambix-property-#{System.unique_integer([:positive])}-#{System.pid()}")

      on_exit(fn -> File.rm_rf!(root) end)
      File.cp_r!(Path.join(@root, "examples/shop"), root)
      before = ToolCall.tree(root)
      {:ok, index} = Index.build(root)
      words = words(index)
      :rand.seed(:exsss, {7, 11, :erlang.phash2(unquote(module))})

      answers =
        [ask(unquote(module), %{}, Host.new(index), budget())] ++
          for _ <- 1..8,
              do: ask(unquote(module), arguments(unquote(module), words), Host.new(index), budget())

      assert :ok in answers
      assert ToolCall.tree(root) == before
    end
  end

  test "every option of every tool is made here, so that a new one is not forgotten" do
    words = %{symbols: ["A.b/1"], files: ["a.ex"], texts: ["def b"], odd: [""]}
    :rand.seed(:exsss, {1, 2, 3})

    for module <- Tool.all(), {key, spec} <- module.tool().input, _ <- 1..20 do
      value = right(key, spec[:type], words)
      arguments = Map.new(required(module), &{&1, right(&1, module.tool().input[&1][:type], words)})
      arguments = Map.new(Map.put(arguments, key, value), fn {key, value} -> {to_string(key), value} end)
      assert {:ok, _} = Ambix.Options.from_json(arguments, module.tool().input)
    end
  end

  defp required(module), do: for({key, spec} <- module.tool().input, spec[:required], do: key)
end
