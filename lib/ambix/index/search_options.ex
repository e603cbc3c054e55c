defmodule Ambix.Index.SearchOptions do
  @moduledoc false
  # What a caller may wish of a search, and how native code wants to be told.

  alias Ambix.{Error, Model, Options}

  @definition_kinds [
    :module,
    :protocol,
    :implementation,
    :function,
    :macro,
    :guard,
    :delegate,
    :struct,
    :exception,
    :type,
    :callback,
    :attribute,
    :test,
    :describe,
    :app,
    :doctest,
    :route,
    :pipeline,
    :template,
    :schema,
    :config,
    :record,
    :file
  ]

  @languages [:elixir, :heex, :eex, :erlang, :markdown, :text, :livebook]

  @options [
    mode: [
      type: {:in, [:hybrid, :lexical, :semantic]},
      default: :hybrid,
      arg: "MODE",
      doc: "what to rank by: words, meaning or both"
    ],
    encoder: [
      type: {:struct, Model.Encoder},
      default: nil,
      doc: "the encoder of the index's vectors, if `embed/3` put others in the place of its own"
    ],
    near: [
      type: {:list, :string},
      default: [],
      arg: "PATH,PATH",
      doc:
        "paths of files that you are at: of two places that are equally good the nearer one comes first, in these files, in those " <>
          "that changed together with them as git knows, that use them or are used by them, or in their folders"
    ],
    paths: [
      type: {:list, :string},
      default: [],
      arg: "PATTERN,PATTERN",
      doc:
        "only below these files and folders, or in files that match these patterns, in which `*` stands for anything but `/`; not in those that begin with `!`"
    ],
    kinds: [
      type: {:list, {:in, @definition_kinds}},
      default: [],
      arg: "KIND,KIND",
      doc: "only what defines one of these; anything, if empty"
    ],
    modules: [
      type: {:list, :string},
      default: [],
      arg: "MODULE,MODULE",
      doc: "only in these modules and those nested in them; everywhere, if empty"
    ],
    languages: [
      type: {:list, {:in, @languages}},
      default: [],
      arg: "LANGUAGE,LANGUAGE",
      doc: "only in files in these languages; in all, if empty"
    ],
    public: [type: :boolean, default: nil, doc: "only what other modules can see, or cannot"],
    modified_since: [
      type: :non_neg_integer,
      default: nil,
      doc: "only in files that were written since, in milliseconds since 1970"
    ]
  ]

  @packing [
    tokens: [type: :pos_integer, default: 2048, arg: "N", doc: "the budget, which the text never exceeds"],
    model: [
      type: {:struct, Model},
      default: nil,
      doc:
        "the model whose tokenizer counts; without one tokens are estimated, on average 4 % too many for code"
    ],
    order: [
      type: {:in, [:ends, :best, :last, :path]},
      default: :ends,
      arg: "ORDER",
      doc:
        "which section stands where: `:ends`: the best first and the second best last, since models use what is at the ends " <>
          "of a prompt more than what is in its middle; `:best`: the best first; `:last`: the best last; `:path`: by path"
    ],
    limit: [
      type: :pos_integer,
      default: 400,
      arg: "N",
      doc: "how many places of the search tell which files belong to the answer"
    ]
  ]

  @doc "The options of whatever packs a context."
  @spec packing() :: Options.schema()
  def packing, do: @packing

  @doc "Those of these names of the options of whatever searches."
  @spec take([atom | {atom, keyword}]) :: Options.schema()
  def take(names), do: Options.take(@options, names)

  @doc "The kinds of definitions."
  @spec definition_kinds() :: [atom]
  def definition_kinds, do: @definition_kinds

  @doc "The languages of files."
  @spec languages() :: [atom]
  def languages, do: @languages

  @doc "The options of whatever searches."
  @spec options() :: Options.schema()
  def options, do: @options

  @doc "The options as native code has them."
  @spec to_native(keyword) :: map
  def to_native(opts) do
    keys = [:limit, :mode, :near, :paths, :modules, :public, :modified_since]
    named = %{kinds: names(opts[:kinds]), languages: names(opts[:languages])}
    opts |> Keyword.take(keys) |> Map.new() |> Map.merge(named)
  end

  @doc "The handle of the encoder in the options, or nil."
  @spec encoder(keyword) :: reference | nil
  def encoder(opts), do: opts[:encoder] && opts[:encoder].resource

  @doc "The handle of the model in the options, or nil."
  @spec model(keyword) :: reference | nil
  def model(opts), do: opts[:model] && opts[:model].resource

  @doc "Atoms as native code names them."
  @spec names([atom]) :: [String.t()]
  def names(atoms), do: Enum.map(atoms, &Atom.to_string/1)

  @doc "Whether native code can take what a caller gave as text. An error does not tell it: it may be a source."
  @spec readable(term, String.t()) :: :ok | {:error, Error.t()}
  def readable(text, what) do
    if is_binary(text) and String.valid?(text),
      do: :ok,
      else:
        {:error,
         Error.new(:invalid_argument, "the #{what} is no text in UTF-8, as all texts of an index are")}
  end
end
