defmodule Ambix.Options do
  @moduledoc """
  Options described once: a keyword schema that gives validation, defaults, documentation, command lines and JSON Schemas.

      schema = [
        limit: [type: :pos_integer, default: 20, doc: "The most results."],
        mode: [type: {:in, [:lexical, :hybrid]}, default: :hybrid, doc: "How to search."]
      ]

      Ambix.Options.validate!(opts, schema)

  Each option has

    * `:type`: one of the types below, `:any` if absent
    * `:required`: whether it must be given
    * `:default`: its value when it is not given; an option without default is then absent
    * `:doc`: one or more sentences for `docs/1`
    * `:unit`: what a number counts, `:bytes`; on a command line it is given in MiB
    * `:arg`: the word that stands for the value in the documentation of a command line

  A module whose functions take options tells the schemas of all of them in `schemas/0`; `of/2` picks one. The command lines of
  `mix ambix.*` are made of the same schemas, by `take/2`. `json_schema/1` is for those who call a function by JSON, such as a model,
  and `from_json/3` reads what they say:

      schema = Ambix.Options.of(Ambix.Index, :search)
      Ambix.Options.json_schema(schema)
      Ambix.Options.from_json(%{"limit" => 5, "mode" => "lexical"}, schema)

  The types: `:any`, `:boolean`, `:string` (a binary in UTF-8), `:atom`, `:integer`, `:pos_integer`, `:non_neg_integer`,
  `{:integer, first..last}`, `:milliseconds` (an integer that a timer takes), `:pos_milliseconds`, `:float` (an integer is
  taken and converted), `:number`, `:pid`, `:map`, `{:map, type}` (with strings as keys), `:keyword_list`, `{:in, list}`, `{:fun, arity}`, `{:list, type}`,
  `{:struct, module}`, `{:or, types}` (the first that fits) and `{:custom, module, function, args}`, which calls
  `apply(module, function, [value | args])` and expects `{:ok, value}` or `{:error, "what is expected"}`.

  No number is larger than native code takes: 2^63 - 1, and of milliseconds 2^32 - 1, which is about 50 days.

  The vocabulary follows NimbleOptions.
  """

  @max_integer 0x7FFF_FFFF_FFFF_FFFF
  @max_milliseconds 0xFFFF_FFFF

  @typedoc "The options and what is known of each."
  @type schema :: [{atom, keyword}]

  @doc "The options of the function `name` of `module`, which tells them by `schemas/0`."
  @spec of(module, atom) :: schema
  def of(module, name), do: Keyword.fetch!(module.schemas(), name)

  @doc """
  The options of these names, in this order. `{name, changes}` changes what the schema says of one, such as its default; nil
  takes away what it says.

      iex> schema = [limit: [type: :pos_integer, default: 20], wait: [type: :milliseconds]]
      iex> Ambix.Options.take(schema, limit: [default: 5])
      [limit: [type: :pos_integer, default: 5]]
  """
  @spec take(schema, [atom | {atom, keyword}]) :: schema
  def take(schema, names) do
    for name <- names do
      {key, changes} = if is_atom(name), do: {name, []}, else: name
      {gone, changed} = Enum.split_with(changes, &match?({_, nil}, &1))
      spec = schema |> Keyword.fetch!(key) |> Keyword.drop(Keyword.keys(gone))
      {key, Keyword.merge(spec, changed)}
    end
  end

  @doc """
  Checks `opts` against `schema` and fills in the defaults.

  The error is a sentence that names the option, what was expected and what was got.
  """
  @spec validate(keyword, schema) :: {:ok, keyword} | {:error, String.t()}
  def validate(opts, schema) do
    with :ok <- keyword(opts),
         :ok <- known(opts, schema) do
      Enum.reduce_while(schema, {:ok, []}, fn {key, spec}, {:ok, done} ->
        case fetch(opts, key, spec) do
          {:ok, value} -> {:cont, {:ok, [{key, value} | done]}}
          :absent -> {:cont, {:ok, done}}
          {:error, sentence} -> {:halt, {:error, sentence}}
        end
      end)
      |> case do
        {:ok, done} -> {:ok, Enum.reverse(done)}
        error -> error
      end
    end
  end

  @doc "As `validate/2`, but raises `ArgumentError`."
  @spec validate!(keyword, schema) :: keyword
  def validate!(opts, schema) do
    case validate(opts, schema) do
      {:ok, opts} -> opts
      {:error, sentence} -> raise ArgumentError, sentence
    end
  end

  @doc "The options as a Markdown list, for `@doc` and `@moduledoc`."
  @spec docs(schema) :: String.t()
  def docs(schema) do
    Enum.map_join(schema, "\n", fn {key, spec} ->
      "  * `#{inspect(key)}` (#{describe(spec[:type] || :any)}#{unit(spec)}#{condition(spec)})#{colon(doc(spec))}"
    end)
  end

  @doc """
  A JSON Schema (2020-12) of an object that holds options, for callers that speak JSON. Atoms are strings in it.

  Options whose values JSON has no words for, such as functions, processes and handles, are left out: they are the host's to give.
  """
  @spec json_schema(schema) :: %{String.t() => term}
  defdelegate json_schema(schema), to: Ambix.Options.JSON, as: :schema

  @doc """
  The options that a decoded JSON object holds, checked as by `validate/2`, with the defaults. `own` are those that the host gives.

  It takes what `json_schema/1` describes, and makes no atom of what it reads.
  """
  @spec from_json(term, schema, keyword) :: {:ok, keyword} | {:error, String.t()}
  defdelegate from_json(object, schema, own \\ []), to: Ambix.Options.JSON, as: :read

  @doc "An option's documentation on one line."
  @spec doc(keyword) :: String.t()
  def doc(spec), do: spec |> Keyword.get(:doc, "") |> String.trim() |> String.replace(~r/\s*\n\s*/, " ")

  @doc false
  # The documentation for those who write no Elixir: `:word` is `name.("word")`.
  @spec plain_doc(keyword, (String.t() -> String.t())) :: String.t()
  def plain_doc(spec, name), do: Regex.replace(~r/`:(\w+)`/, doc(spec), fn _, word -> "`#{name.(word)}`" end)

  @doc "What a value of the type is, as words."
  @spec describe(term) :: String.t()
  def describe(:any), do: "anything"
  def describe(:boolean), do: "`true` or `false`"
  def describe(:string), do: "a string"
  def describe(:atom), do: "an atom"
  def describe(:integer), do: "an integer"
  def describe(:pos_integer), do: "a positive integer"
  def describe(:non_neg_integer), do: "a non-negative integer"
  def describe({:integer, first..last//_}), do: "an integer from #{first} to #{last}"
  def describe(:milliseconds), do: describe({:integer, 0..@max_milliseconds})
  def describe(:pos_milliseconds), do: describe({:integer, 1..@max_milliseconds})
  def describe(type) when type in [:float, :number], do: "a number"
  def describe(:pid), do: "a process id"
  def describe(:map), do: "a map"
  def describe({:map, type}), do: "a map of strings, each value #{describe(type)}"
  def describe(:keyword_list), do: "a keyword list"
  def describe({:in, values}), do: "one of " <> Enum.map_join(values, ", ", &"`#{inspect(&1)}`")
  def describe({:fun, arity}), do: "a function of arity #{arity}"
  def describe({:list, type}), do: "a list, each element #{describe(type)}"
  def describe({:struct, module}), do: "a `%#{inspect(module)}{}`"
  def describe({:or, types}), do: Enum.map_join(types, " or ", &describe/1)
  def describe({:custom, _module, _function, _args}), do: "checked by itself"

  @doc "A clause that proposes the name among `names` that is nearest to `name`, or an empty string."
  @spec did_you_mean(String.t(), [String.t()]) :: String.t()
  def did_you_mean(name, names) do
    nearest = Enum.max_by(names, &String.jaro_distance(name, &1), fn -> nil end)

    if nearest && String.jaro_distance(name, nearest) > 0.77,
      do: ", did you mean #{nearest}?",
      else: ""
  end

  @doc false
  # The smallest and the largest number of a type, nil for what is no number.
  @spec bounds(term) :: {integer, integer} | nil
  def bounds(type) when type in [:integer, :float, :number], do: {-@max_integer, @max_integer}
  def bounds(:pos_integer), do: {1, @max_integer}
  def bounds(:non_neg_integer), do: {0, @max_integer}
  def bounds(:milliseconds), do: {0, @max_milliseconds}
  def bounds(:pos_milliseconds), do: {1, @max_milliseconds}
  def bounds({:integer, first..last//_}), do: {first, last}
  def bounds(_type), do: nil

  defp colon(""), do: ""
  defp colon(doc), do: ": " <> doc

  defp unit(spec), do: if(spec[:unit], do: ", in #{spec[:unit]}", else: "")

  defp condition(spec) do
    cond do
      spec[:required] -> ", required"
      spec[:default] in [nil, false] -> ""
      true -> ", by default `#{inspect(spec[:default])}`"
    end
  end

  defp keyword(opts) do
    if Keyword.keyword?(opts),
      do: :ok,
      else: {:error, "expected options as a keyword list, got: #{shown(opts)}"}
  end

  defp known(opts, schema) do
    valid = Keyword.keys(schema)

    case Enum.find(Keyword.keys(opts), &(&1 not in valid)) do
      nil ->
        :ok

      key ->
        hint = did_you_mean(inspect(key), Enum.map(valid, &inspect/1))
        {:error, "unknown option #{inspect(key)}#{hint} (valid options: #{inspect(valid)})"}
    end
  end

  defp fetch(opts, key, spec) do
    case {Keyword.fetch(opts, key), Keyword.fetch(spec, :default)} do
      {{:ok, nil}, {:ok, nil}} -> {:ok, nil}
      {{:ok, value}, _} -> check(key, value, spec[:type] || :any)
      {:error, {:ok, default}} -> {:ok, default}
      {:error, :error} -> if spec[:required], do: missing(key), else: :absent
    end
  end

  defp missing(key), do: {:error, "the option #{inspect(key)} is required"}

  defp check(key, value, type) do
    case cast(type, value) do
      {:ok, value} ->
        {:ok, value}

      :error ->
        {:error,
         "expected #{inspect(key)} to be #{plain(describe(type))}#{bound(type, value)}, got: #{shown(value)}"}

      {:error, expected} ->
        {:error, "expected #{inspect(key)} to be #{expected}, got: #{shown(value)}"}
    end
  end

  # The words for a type do not say how large an integer may be, since nobody has to be told who does not overstep it.
  defp bound(type, value)
       when type in [:integer, :pos_integer, :non_neg_integer] and is_integer(value) and value > 0,
       do: " below 2^63"

  defp bound(_type, _value), do: ""

  # Enough of a value to recognise it: it may be a prompt or a source, and what is raised gets into logs.
  defp shown(value), do: inspect(value, limit: 5, printable_limit: 60)

  @doc false
  # The value as the type has it.
  @spec cast(term, term) :: {:ok, term} | :error | {:error, String.t()}
  def cast(:any, value), do: {:ok, value}
  def cast(:boolean, value) when is_boolean(value), do: {:ok, value}

  def cast(:string, value) when is_binary(value),
    do: if(String.valid?(value), do: {:ok, value}, else: :error)

  def cast(:atom, value) when is_atom(value), do: {:ok, value}
  def cast(:float, value) when is_number(value) and abs(value) <= @max_integer, do: {:ok, value / 1}
  def cast(:number, value) when is_number(value) and abs(value) <= @max_integer, do: {:ok, value}
  def cast(:pid, value) when is_pid(value), do: {:ok, value}
  def cast(:map, value) when is_map(value), do: {:ok, value}

  def cast(:keyword_list, value),
    do: if(Keyword.keyword?(value), do: {:ok, value}, else: :error)

  def cast({:in, values}, value), do: if(value in values, do: {:ok, value}, else: :error)
  def cast({:fun, arity}, value) when is_function(value, arity), do: {:ok, value}
  def cast({:struct, module}, %module{} = value), do: {:ok, value}

  def cast({:list, type}, values) when is_list(values) do
    casts = if List.improper?(values), do: [:error], else: Enum.map(values, &cast(type, &1))

    if Enum.all?(casts, &match?({:ok, _}, &1)),
      do: {:ok, Enum.map(casts, &elem(&1, 1))},
      else: :error
  end

  def cast({:map, type}, %{} = map) when not is_struct(map) do
    casts = for {key, value} <- map, do: {cast(:string, key), cast(type, value)}

    if Enum.all?(casts, &match?({{:ok, _}, {:ok, _}}, &1)),
      do: {:ok, Map.new(casts, fn {{:ok, key}, {:ok, value}} -> {key, value} end)},
      else: :error
  end

  def cast({:or, types}, value) do
    Enum.find_value(types, :error, fn type ->
      with {:ok, value} <- cast(type, value), do: {:ok, value}, else: (_ -> nil)
    end)
  end

  def cast({:custom, module, function, args}, value), do: apply(module, function, [value | args])

  def cast(type, value) when is_integer(value) do
    case bounds(type) do
      {least, most} when value >= least and value <= most -> {:ok, value}
      _ -> :error
    end
  end

  def cast(_type, _value), do: :error

  defp plain(words), do: String.replace(words, "`", "")
end
