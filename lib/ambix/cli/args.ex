defmodule Ambix.CLI.Args do
  @moduledoc false
  # Command lines, read by the schemas of `Ambix.Options`: one description gives the switches, their checks and their documentation.
  #
  # A list is written with commas between its members, an atom as its name, and what is counted in bytes in MiB.

  alias Ambix.{Error, Options, Workspace}

  @mib 1_048_576

  @common Options.of(Workspace, :open) ++
            [
              json: [type: :boolean, default: false, doc: "print one line of JSON"],
              quiet: [type: :boolean, default: false, doc: "print no progress"]
            ]

  @doc "The options of that name that several tasks share."
  @spec common([atom]) :: Options.schema()
  def common(names), do: Options.take(@common, names)

  @doc "The options that all tasks share which pack a context of a folder."
  @spec packing() :: Options.schema()
  def packing do
    common(
      [:root, :index, :deps, :encoder, :precision, :model] ++
        [:nested_repositories, :any_root, :json, :quiet]
    )
  end

  @doc """
  The options of several verbs. Which of them an option is for, and where they differ its defaults, is in its documentation; a
  value that is not given is the verb's to choose.
  """
  @spec union([{atom, Options.schema()}]) :: Options.schema()
  def union(verbs) do
    all = for {verb, schema} <- verbs, {key, spec} <- schema, do: {key, {verb, spec}}

    for key <- all |> Keyword.keys() |> Enum.uniq() do
      [{_, first} | _] = uses = Keyword.get_values(all, key)

      docs =
        uses
        |> Enum.group_by(
          fn {_, spec} -> Options.doc(spec) <> condition(", by default", key, spec) end,
          &elem(&1, 0)
        )
        |> Enum.sort_by(fn {_, verbs} -> Enum.find_index(uses, &(elem(&1, 0) == hd(verbs))) end)
        |> Enum.map_join("; ", fn {doc, verbs} -> "#{doc} (#{Enum.join(verbs, ", ")})" end)

      {key, first |> Keyword.delete(:default) |> Keyword.put(:doc, docs)}
    end
  end

  @doc "An error if an option is given that the verb would pass over, and that would then be missed."
  @spec fitting(atom, keyword, [{atom, Options.schema()}]) :: :ok | {:error, Error.t()}
  def fitting(verb, given, verbs) do
    known = Keyword.get(verbs, verb, [])
    of_some = verbs |> Enum.flat_map(fn {_, schema} -> Keyword.keys(schema) end) |> Enum.uniq()

    case Enum.find(Keyword.keys(given), &(&1 in of_some and not Keyword.has_key?(known, &1))) do
      nil ->
        :ok

      key ->
        others = for {verb, schema} <- verbs, Keyword.has_key?(schema, key), do: verb
        sentence = "#{flag(key)} means nothing to #{verb}; it is for #{Enum.join(others, ", ")}"
        {:error, Error.new(:invalid_argument, sentence)}
    end
  end

  @doc "Splits a command line into arguments and checked options."
  @spec parse([String.t()], Options.schema()) ::
          {:ok, [String.t()], keyword} | :help | {:error, Error.t()}
  def parse(argv, schema) do
    switches = [{:help, :boolean} | Enum.map(schema, fn {key, spec} -> {key, switch(spec[:type])} end)]
    {opts, args, invalid} = OptionParser.parse(argv, strict: switches)

    cond do
      opts[:help] -> :help
      invalid != [] -> {:error, invalid(hd(invalid), schema)}
      true -> validate(args, opts, schema)
    end
  end

  @doc "The options as a Markdown list, written as on a command line."
  @spec docs(Options.schema()) :: String.t()
  def docs(schema) do
    Enum.map_join(schema, "\n", fn {key, spec} ->
      arg = if spec[:type] == :boolean, do: "", else: " " <> (spec[:arg] || "VALUE")
      "  * `#{flag(key)}#{arg}`: #{sentence(key, spec, schema)}"
    end)
  end

  defp sentence(key, spec, schema) do
    named = fn word ->
      if Enum.any?(schema, fn {key, _} -> "#{key}" == word end), do: flag(word), else: word
    end

    {first, rest} = spec |> Options.plain_doc(named) |> String.trim_trailing(".") |> String.split_at(1)
    String.upcase(first) <> rest <> "." <> choices(spec[:type]) <> condition(" By default", key, spec)
  end

  defp choices({:in, values}), do: " One of " <> Enum.map_join(values, ", ", &"`#{&1}`") <> "."
  defp choices({:list, {:in, values}}), do: " Out of " <> Enum.map_join(values, ", ", &"`#{&1}`") <> "."
  defp choices(_), do: ""

  defp condition(by_default, key, spec) do
    default = spec[:default]

    cond do
      spec[:required] -> " Required."
      spec[:type] == :boolean and Keyword.get(spec, :default, false) != false -> negated(by_default, key)
      default in [nil, false, []] -> ""
      spec[:unit] == :bytes -> "#{by_default} `#{div(default, @mib)}`#{stop(by_default)}"
      true -> "#{by_default} `#{default}`#{stop(by_default)}"
    end
  end

  defp negated(" By" <> _, key), do: " `#{flag("no-#{key}")}` says no."
  defp negated(_within, key), do: "; `#{flag("no-#{key}")}` says no"

  defp stop(" By" <> _), do: "."
  defp stop(_within), do: ""

  defp switch(:boolean), do: :boolean
  defp switch({:integer, _range}), do: :integer

  defp switch(type)
       when type in [:integer, :pos_integer, :non_neg_integer, :milliseconds, :pos_milliseconds],
       do: :integer

  defp switch(type) when type in [:float, :number], do: :float
  defp switch(_), do: :string

  defp validate(args, opts, schema) do
    with {:ok, opts} <- values(opts, schema) do
      case Options.validate(opts, schema) do
        {:ok, opts} -> {:ok, args, opts}
        {:error, sentence} -> {:error, Error.new(:invalid_argument, dashes(sentence, schema))}
      end
    end
  end

  # What the words of a command line stand for; a foreign word never becomes an atom.
  defp values(opts, schema) do
    Enum.reduce_while(opts, {:ok, []}, fn {key, given}, {:ok, done} ->
      case value(key, given, schema[key]) do
        {:ok, value} -> {:cont, {:ok, [{key, value} | done]}}
        error -> {:halt, error}
      end
    end)
  end

  defp value(key, given, spec) do
    case spec[:type] do
      {:in, values} ->
        with :error <- Options.JSON.word(given, values), do: {:error, not_among(key, given, values)}

      {:list, type} ->
        words = given |> String.split(",") |> Enum.map(&String.trim/1) |> Enum.reject(&(&1 == ""))
        list(key, given, words, type)

      _ when is_integer(given) ->
        {:ok, if(spec[:unit] == :bytes, do: given * @mib, else: given)}

      _ ->
        {:ok, given}
    end
  end

  defp list(key, given, words, type) do
    values = with {:in, values} <- type, do: for(word <- words, do: Options.JSON.word(word, values))
    known = if is_list(values), do: for({:ok, value} <- values, do: value), else: words

    if words != [] and length(known) == length(words) do
      {:ok, known}
    else
      among = with({:in, values} <- type, do: ", out of #{Enum.join(values, ", ")}")
      among = if is_binary(among), do: among, else: ""
      sentence = "expected #{flag(key)} to be words with commas between them#{among}, got: #{inspect(given)}"
      {:error, Error.new(:invalid_argument, sentence)}
    end
  end

  defp not_among(key, value, values) do
    names = Enum.map(values, &to_string/1)

    Error.new(
      :invalid_argument,
      "#{flag(key)} expects one of #{Enum.join(names, ", ")}, got #{inspect(value)}" <>
        Options.did_you_mean(value, names)
    )
  end

  defp invalid({flag, value}, schema) do
    case Enum.find(schema, fn {key, _} -> flag(key) == flag end) do
      nil ->
        flags = Enum.map(schema, fn {key, _} -> flag(key) end)
        hint = Options.did_you_mean(flag, flags)

        Error.new(
          :invalid_argument,
          "unknown option #{flag}#{hint} (valid options: #{Enum.join(flags, ", ")})"
        )

      {_key, spec} when value == nil ->
        Error.new(:invalid_argument, "#{flag} expects a value: #{plain(spec[:type])}")

      {_key, spec} ->
        Error.new(:invalid_argument, "#{flag} expects #{plain(spec[:type])}, got #{inspect(value)}")
    end
  end

  defp dashes(sentence, schema) do
    Enum.reduce(schema, sentence, fn {key, _}, sentence ->
      String.replace(sentence, ~r/(?<![\w:])#{Regex.escape(inspect(key))}(?!\w)/, flag(key))
    end)
  end

  defp plain(:boolean), do: "no value"
  defp plain(type), do: type |> Options.describe() |> String.replace("`", "")

  defp flag(key), do: "--" <> String.replace("#{key}", "_", "-")
end
