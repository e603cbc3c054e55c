defmodule Ambix.Options do
  @moduledoc """
  Options described once: a keyword schema that gives validation, defaults and documentation.

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

  The types: `:any`, `:boolean`, `:string` (a binary in UTF-8), `:atom`, `:integer`, `:pos_integer`, `:non_neg_integer`,
  `{:integer, first..last}`, `:milliseconds` (an integer that a timer takes), `:pos_milliseconds`, `:float` (an integer is
  taken and converted), `:number`, `:pid`, `:keyword_list`, `{:in, list}`, `{:fun, arity}`, `{:list, type}`,
  `{:struct, module}`, `{:or, types}` (the first that fits) and `{:custom, module, function, args}`, which calls
  `apply(module, function, [value | args])` and expects `{:ok, value}` or `{:error, "what is expected"}`.

  No integer is larger than native code takes: 2^63 - 1, and of milliseconds 2^32 - 1, which is about 50 days.

  The vocabulary follows NimbleOptions.
  """

  @max_integer 0x7FFF_FFFF_FFFF_FFFF
  @max_milliseconds 0xFFFF_FFFF

  @typedoc "The options and what is known of each."
  @type schema :: [{atom, keyword}]

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
      "  * `#{inspect(key)}` (#{describe(spec[:type] || :any)}#{condition(spec)})#{colon(doc(spec))}"
    end)
  end

  @doc "An option's documentation on one line."
  @spec doc(keyword) :: String.t()
  def doc(spec), do: spec |> Keyword.get(:doc, "") |> String.trim() |> String.replace(~r/\s*\n\s*/, " ")

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

  defp colon(""), do: ""
  defp colon(doc), do: ": " <> doc

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

  defp cast(:any, value), do: {:ok, value}
  defp cast(:boolean, value) when is_boolean(value), do: {:ok, value}

  defp cast(:string, value) when is_binary(value),
    do: if(String.valid?(value), do: {:ok, value}, else: :error)

  defp cast(:atom, value) when is_atom(value), do: {:ok, value}
  defp cast(:integer, value), do: cast({:integer, -@max_integer..@max_integer}, value)
  defp cast(:pos_integer, value), do: cast({:integer, 1..@max_integer}, value)
  defp cast(:non_neg_integer, value), do: cast({:integer, 0..@max_integer}, value)
  defp cast(:milliseconds, value), do: cast({:integer, 0..@max_milliseconds}, value)
  defp cast(:pos_milliseconds, value), do: cast({:integer, 1..@max_milliseconds}, value)

  defp cast({:integer, first..last//_}, value)
       when is_integer(value) and value >= first and value <= last,
       do: {:ok, value}

  defp cast(:float, value) when is_float(value), do: {:ok, value}
  defp cast(:float, value) when is_integer(value) and abs(value) <= @max_integer, do: {:ok, value / 1}
  defp cast(:number, value) when is_float(value), do: {:ok, value}
  defp cast(:number, value) when is_integer(value) and abs(value) <= @max_integer, do: {:ok, value}
  defp cast(:pid, value) when is_pid(value), do: {:ok, value}

  defp cast(:keyword_list, value),
    do: if(Keyword.keyword?(value), do: {:ok, value}, else: :error)

  defp cast({:in, values}, value), do: if(value in values, do: {:ok, value}, else: :error)
  defp cast({:fun, arity}, value) when is_function(value, arity), do: {:ok, value}
  defp cast({:struct, module}, %module{} = value), do: {:ok, value}

  defp cast({:list, type}, values) when is_list(values) do
    casts = if List.improper?(values), do: [:error], else: Enum.map(values, &cast(type, &1))

    if Enum.all?(casts, &match?({:ok, _}, &1)),
      do: {:ok, Enum.map(casts, &elem(&1, 1))},
      else: :error
  end

  defp cast({:or, types}, value) do
    Enum.find_value(types, :error, fn type ->
      with {:ok, value} <- cast(type, value), do: {:ok, value}, else: (_ -> nil)
    end)
  end

  defp cast({:custom, module, function, args}, value), do: apply(module, function, [value | args])
  defp cast(_type, _value), do: :error

  defp plain(words), do: String.replace(words, "`", "")
end
