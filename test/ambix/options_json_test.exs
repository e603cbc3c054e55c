defmodule Ambix.OptionsJSONTest do
  use ExUnit.Case, async: true

  alias Ambix.{JSON, Options}

  @modules [
    Ambix.Agent,
    Ambix.Ask,
    Ambix.EmbeddingCache,
    Ambix.Fix,
    Ambix.Graph,
    Ambix.Index,
    Ambix.Index.Chunks,
    Ambix.Index.Producer,
    Ambix.Index.Tree,
    Ambix.MCP,
    Ambix.MCP.HTTP.Listener,
    Ambix.Model,
    Ambix.Models,
    Ambix.Packages,
    Ambix.Sandbox,
    Ambix.Search,
    Ambix.Supervisor,
    Ambix.Tool.Host,
    Ambix.Workspace
  ]

  @schemas for module <- @modules, {name, schema} <- module.schemas(), do: {{module, name}, schema}

  @types ~w(boolean string integer number array null)

  test "every module with options tells them" do
    {:ok, modules} = :application.get_key(:ambix, :modules)

    telling =
      for module <- modules,
          {:module, _} = Code.ensure_loaded(module),
          function_exported?(module, :schemas, 0) do
        module
      end

    assert Enum.sort(telling) == @modules
  end

  test "every schema of the library is a JSON Schema" do
    for {function, schema} <- @schemas do
      {:ok, told} =
        schema |> Options.json_schema() |> JSON.encode!() |> IO.iodata_to_binary() |> JSON.decode()

      assert %{"type" => "object", "additionalProperties" => false, "properties" => properties} = told
      assert told["$schema"] == "https://json-schema.org/draft/2020-12/schema"
      assert Enum.all?(told["required"], &is_map_key(properties, &1))

      for {name, property} <- properties do
        what = "#{inspect(function)} #{name}"
        assert is_binary(property["description"]), what
        refute property["description"] =~ ~r{`:\w}, what
        well_formed(property, what)
        # What is said to hold by default holds.
        if is_map_key(property, "default"), do: assert(accepts?(property, property["default"]), what)
      end
    end
  end

  test "what a schema says of an option is in its JSON Schema" do
    schema = [
      limit: [type: {:integer, 1..9}, default: 3, doc: "as `:mode` says"],
      mode: [type: {:in, [:a, :b, true]}, required: true],
      tags: [type: {:list, {:in, [:x, :y]}}, default: nil],
      size: [type: {:or, [:pos_integer, {:in, [:all]}]}, default: :all],
      room: [type: :non_neg_integer, unit: :bytes, doc: "space"],
      done: [type: {:fun, 1}, required: true],
      model: [type: {:or, [{:struct, URI}, :string]}, default: nil]
    ]

    assert Options.json_schema(schema) == %{
             "$schema" => "https://json-schema.org/draft/2020-12/schema",
             "type" => "object",
             "additionalProperties" => false,
             "required" => ["mode"],
             "properties" => %{
               "limit" => %{
                 "type" => "integer",
                 "minimum" => 1,
                 "maximum" => 9,
                 "default" => 3,
                 "description" => "as `mode` says"
               },
               "mode" => %{"enum" => ["a", "b", true]},
               "tags" => %{"type" => ["array", "null"], "items" => %{"enum" => ["x", "y"]}},
               "size" => %{
                 "anyOf" => [
                   %{"type" => "integer", "minimum" => 1, "maximum" => 2 ** 63 - 1},
                   %{"enum" => ["all"]}
                 ],
                 "default" => "all"
               },
               "room" => %{
                 "type" => "integer",
                 "minimum" => 0,
                 "maximum" => 2 ** 63 - 1,
                 "description" => "space (in bytes)"
               },
               "model" => %{"type" => ["string", "null"]}
             }
           }

    own = [done: &is_nil/1]
    object = %{"mode" => "b", "tags" => ["y"], "limit" => 4.0}
    assert {:ok, opts} = Options.from_json(object, schema, own)
    assert [limit: 4, mode: :b, tags: [:y], size: :all, done: _, model: nil] = opts
    assert Options.from_json(object, schema) == {:error, "the option :done is required"}

    assert {:error, "unknown option \"done\"" <> _} =
             Options.from_json(Map.put(object, "done", 1), schema, own)

    assert {:error, "unknown option \"limt\", did you mean limit?" <> _} =
             Options.from_json(%{"limt" => 1}, schema)

    assert {:error, "expected :mode to be one of :a, :b, true, got: \"c\""} =
             Options.from_json(%{"mode" => "c"}, schema)

    assert {:error, _} = Options.from_json([1], schema)
  end

  test "maps of strings, alone and beside other types" do
    schema = [change: [type: {:or, [:string, {:map, {:list, {:in, [:a, :b]}}}]}]]
    lists = %{"type" => "array", "items" => %{"enum" => ["a", "b"]}}
    types = [%{"type" => "string"}, %{"type" => "object", "additionalProperties" => lists}]
    assert Options.json_schema(schema)["properties"]["change"] == %{"anyOf" => types}
    assert Options.from_json(%{"change" => "text"}, schema) == {:ok, [change: "text"]}
    assert Options.from_json(%{"change" => %{"x" => ["a"]}}, schema) == {:ok, [change: %{"x" => [:a]}]}

    for wrong <- [1, ["a"], %{"x" => "a"}, %{"x" => ["c"]}],
        do: assert({:error, "expected :change" <> _} = Options.from_json(%{"change" => wrong}, schema))

    assert {:error, _} = Options.validate([change: %{x: [:a]}], schema)
  end

  # A schema is given objects, most of them right in all or in all but one place: what its JSON Schema accepts is taken, and nothing else.
  test "JSON Schemas accept what is taken, and refuse what is refused" do
    seed = ExUnit.configuration()[:seed]
    :rand.seed(:exsss, {seed, 1, 2})

    outcomes =
      for {function, schema} <- @schemas, _ <- 1..40 do
        told = Options.json_schema(schema)
        object = object(told)
        accepted = accepts?(told, object)
        read = Options.from_json(object, schema, own(schema))

        assert accepted == match?({:ok, _}, read),
               "#{inspect(function)} with #{inspect(object)} (seed #{seed}): #{inspect(read)}"

        accepted
      end

    shares = Enum.frequencies(outcomes)
    assert shares[true] > 200 and shares[false] > 200
  end

  test "no foreign word becomes an atom" do
    schema = Options.of(Ambix.Index, :search)
    word = "never heard of #{System.unique_integer([:positive])}"

    for object <- [%{word => 1}, %{"mode" => word}, %{"kinds" => [word]}],
        do: Options.from_json(object, schema)

    assert_raise ArgumentError, fn -> String.to_existing_atom(word) end
  end

  # What the host has to give: what JSON has no words for.
  defp own(schema) do
    properties = Options.json_schema(schema)["properties"]

    for {key, spec} <- schema, spec[:required], not is_map_key(properties, "#{key}") do
      {key, if(spec[:type] == :atom, do: :some, else: make_ref())}
    end
  end

  defp well_formed(schema, what) do
    known = ~w(type enum anyOf items minimum maximum description default)
    assert Map.keys(schema) -- known == [], what
    assert Enum.count(~w(type enum anyOf), &is_map_key(schema, &1)) == 1, what
    for type <- List.wrap(schema["type"]), do: assert(type in @types, what)

    if is_map_key(schema, "enum"),
      do: assert(schema["enum"] != [] and Enum.uniq(schema["enum"]) == schema["enum"])

    if is_map_key(schema, "minimum"), do: assert(schema["minimum"] <= schema["maximum"], what)
    for part <- schema["anyOf"] || [], do: well_formed(part, what)
    if "array" in List.wrap(schema["type"]), do: well_formed(schema["items"], what)
  end

  # As much of JSON Schema as the schemas use.
  defp accepts?(schema, value) do
    Enum.all?(schema, fn
      {"type", types} ->
        Enum.any?(List.wrap(types), &type?(&1, value))

      {"enum", values} ->
        Enum.any?(values, &(&1 == value))

      {"anyOf", schemas} ->
        Enum.any?(schemas, &accepts?(&1, value))

      {"items", schema} ->
        not is_list(value) or Enum.all?(value, &accepts?(schema, &1))

      {"minimum", least} ->
        not is_number(value) or value >= least

      {"maximum", most} ->
        not is_number(value) or value <= most

      {"required", names} ->
        not is_map(value) or Enum.all?(names, &is_map_key(value, &1))

      {"properties", properties} ->
        not is_map(value) or Enum.all?(value, &fits?(properties, &1))

      {"additionalProperties", false} ->
        not is_map(value) or Map.keys(value) -- Map.keys(schema["properties"]) == []

      {note, _} when note in ["$schema", "description", "default"] ->
        true
    end)
  end

  defp fits?(properties, {name, value}), do: accepts?(Map.get(properties, name, %{}), value)

  defp type?("object", value), do: is_map(value)
  defp type?("array", value), do: is_list(value)
  defp type?("string", value), do: is_binary(value)
  defp type?("boolean", value), do: is_boolean(value)
  defp type?("null", value), do: value == nil
  defp type?("number", value), do: is_number(value)
  defp type?("integer", value), do: is_integer(value) or (is_float(value) and value == trunc(value))

  defp object(%{"properties" => properties, "required" => required}) do
    chosen = for {name, property} <- properties, name in required or one_in(3), do: {name, right(property)}
    object = Map.new(chosen)

    case :rand.uniform(3) do
      1 -> object
      2 when chosen != [] -> Map.put(object, chosen |> Enum.random() |> elem(0), anything(2))
      _ -> Map.put(object, Enum.random(["no_such", "limit", "seed", "name"]), anything(2))
    end
  end

  defp right(%{"enum" => values}), do: Enum.random(values)
  defp right(%{"anyOf" => schemas}), do: schemas |> Enum.random() |> right()
  defp right(%{"type" => types} = schema), do: types |> List.wrap() |> Enum.random() |> of_type(schema)

  defp of_type("boolean", _schema), do: one_in(2)
  defp of_type("null", _schema), do: nil
  defp of_type("string", _schema), do: Enum.random(["", "é", "lib", "all", "true"])
  defp of_type("array", schema), do: for(_ <- 1..:rand.uniform(3), do: right(schema["items"]))

  defp of_type("integer", %{"minimum" => least, "maximum" => most}) do
    whole = Enum.random([least, most, min(least + :rand.uniform(9), most)])
    # JSON does not tell 3 from 3.0.
    if abs(whole) < 1000 and one_in(3), do: whole / 1, else: whole
  end

  defp of_type("number", %{"minimum" => least, "maximum" => most}),
    do: Enum.random([least, most, 0, 1, 0.5, -1.5, 1.0e18])

  defp anything(0), do: Enum.random([nil, true, 1, "a"])

  defp anything(depth) do
    Enum.random([
      nil,
      true,
      0,
      1,
      -1,
      1.5,
      2.0,
      1.0e30,
      2 ** 32,
      2 ** 63,
      2 ** 70,
      "all",
      "hybrid",
      "lexical",
      "",
      %{},
      [],
      [anything(depth - 1)],
      %{"a" => anything(depth - 1)}
    ])
  end

  defp one_in(n), do: :rand.uniform(n) == 1
end
