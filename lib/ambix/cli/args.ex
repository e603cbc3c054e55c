defmodule Ambix.CLI.Args do
  @moduledoc false
  # Command lines, read by the schemas of `Ambix.Options`: one description gives the switches, their checks and their documentation.
  # Beside the keys that `Ambix.Options` knows, `:arg` is the word that stands for the value in the documentation.

  alias Ambix.{Error, Options}

  @common [
    root: [
      type: :string,
      default: ".",
      arg: "DIR",
      doc: "The folder of code. It need not be a mix project, and is not written to."
    ],
    deps: [
      type: :boolean,
      default: false,
      doc:
        "Also in dependencies, Elixir and Erlang/OTP, in the versions that the folder uses. The first time they are indexed, for all projects."
    ],
    index: [
      type: :string,
      arg: "FILE",
      doc: "Where the index is kept. By default in the cache folder, by the folder's path."
    ],
    model: [
      type: :string,
      arg: "PATH",
      doc: "A GGUF file, or the name of a model that `mix ambix.models list` names."
    ],
    encoder: [
      type: :string,
      arg: "PATH",
      doc:
        "A folder with a BERT encoder, or the name of one that `mix ambix.models list` names, instead of the built-in one."
    ],
    precision: [
      type: {:in, [:fp32, :int8]},
      default: :fp32,
      arg: "P",
      doc: "How the encoder computes. An index keeps the vectors of one of the two; int8 is faster."
    ],
    json: [type: :boolean, default: false, doc: "Print one line of JSON."],
    quiet: [type: :boolean, default: false, doc: "Print no progress."],
    seed: [type: :non_neg_integer, default: 0, arg: "N", doc: "The seed of what is random."]
  ]

  @doc "The options of that name that several tasks share."
  @spec common([atom]) :: Options.schema()
  def common(names), do: Enum.map(names, &{&1, Keyword.fetch!(@common, &1)})

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

  @doc "For the type `{:custom, Ambix.CLI.Args, :names, [known]}`: words out of `known`, with commas between them, as atoms."
  @spec names(term, [atom]) :: {:ok, [atom]} | {:error, String.t()}
  def names(text, known) do
    by_name = Map.new(known, &{Atom.to_string(&1), &1})
    {:ok, names} = list(text)

    if names != [] and Enum.all?(names, &is_map_key(by_name, &1)),
      do: {:ok, Enum.map(names, &Map.fetch!(by_name, &1))},
      else: {:error, "words with commas between them, out of #{Enum.join(known, ", ")}"}
  end

  @doc "For the type `{:custom, Ambix.CLI.Args, :list, []}`: any words with commas between them."
  @spec list(term) :: {:ok, [String.t()]}
  def list(text),
    do: {:ok, text |> String.split(",") |> Enum.map(&String.trim/1) |> Enum.reject(&(&1 == ""))}

  @doc "The options as a Markdown list, written as on a command line."
  @spec docs(Options.schema()) :: String.t()
  def docs(schema) do
    Enum.map_join(schema, "\n", fn {key, spec} ->
      arg = if spec[:type] == :boolean, do: "", else: " " <> (spec[:arg] || "VALUE")
      "  * `#{flag(key)}#{arg}`: #{Options.doc(spec)}#{choices(spec[:type])}#{condition(spec)}"
    end)
  end

  defp choices({:in, values}), do: " One of " <> Enum.map_join(values, ", ", &"`#{&1}`") <> "."
  defp choices(_), do: ""

  defp condition(spec) do
    cond do
      spec[:required] -> " Required."
      spec[:default] in [nil, false, []] -> ""
      true -> " By default `#{spec[:default]}`."
    end
  end

  defp switch(:boolean), do: :boolean
  defp switch({:integer, _range}), do: :integer

  defp switch(type)
       when type in [:integer, :pos_integer, :non_neg_integer, :milliseconds, :pos_milliseconds],
       do: :integer

  defp switch(type) when type in [:float, :number], do: :float
  defp switch(_), do: :string

  defp validate(args, opts, schema) do
    with {:ok, opts} <- words(opts, schema) do
      case Options.validate(opts, schema) do
        {:ok, opts} -> {:ok, args, opts}
        {:error, sentence} -> {:error, Error.new(:invalid_argument, dashes(sentence, schema))}
      end
    end
  end

  # On a command line the values of an enumeration are words; a foreign word never becomes an atom.
  defp words(opts, schema) do
    Enum.reduce_while(opts, {:ok, []}, fn {key, value}, {:ok, done} ->
      case schema[key][:type] do
        {:in, values} ->
          case Enum.find(values, &(to_string(&1) == value)) do
            nil -> {:halt, {:error, not_among(key, value, values)}}
            known -> {:cont, {:ok, [{key, known} | done]}}
          end

        _ ->
          {:cont, {:ok, [{key, value} | done]}}
      end
    end)
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

  defp flag(key), do: "--" <> (key |> Atom.to_string() |> String.replace("_", "-"))
end
