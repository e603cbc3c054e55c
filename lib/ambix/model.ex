defmodule Ambix.Model do
  @moduledoc """
  A language model that runs in this VM, and encoders that turn text into vectors.

  `load/2` takes a GGUF file of the architectures llama, qwen2 or qwen3; `load_encoder/2` a folder with a BERT encoder
  such as all-MiniLM-L6-v2. Neither needs a network or a key. Loaded weights are shared by all processes that hold the
  handle and are freed with the last of them.

      {:ok, path} = Ambix.Models.path("SmolLM2-135M-Instruct")
      {:ok, model} = Ambix.Model.load(path)
      for {:text, text} <- Ambix.Model.stream(model, "Name a fruit."), do: IO.write(text)

  Instead of a model or an encoder, the functions here take the name of a tree that has one, `{Ambix, name: name, model: path}`.
  `fetch/2` and `fetch_encoder/2` wait until it is loaded.
  """

  alias Ambix.{Error, Job, Model, Native, Options, Telemetry, Tensor}

  @enforce_keys [:resource, :name]
  defstruct [:resource, :name]

  @type t :: %__MODULE__{resource: reference, name: String.t()}

  @typedoc "A prompt: text, or messages as the model's chat template takes them."
  @type prompt :: String.t() | [%{role: String.t(), content: String.t()}]

  defmodule Encoder do
    @moduledoc "A loaded encoder: text in, vectors out. See `Ambix.Model.load_encoder/2`."

    @enforce_keys [:resource, :name, :dimensions]
    defstruct [:resource, :name, :dimensions, :cache]

    @type t :: %__MODULE__{
            resource: reference,
            name: String.t(),
            dimensions: pos_integer,
            cache: Ambix.EmbeddingCache.t() | nil
          }

    defimpl Inspect do
      def inspect(encoder, _opts),
        do: "#Ambix.Model.Encoder<#{encoder.name}, #{encoder.dimensions} dimensions>"
    end
  end

  @load_options [
    threads: [
      type: {:integer, 1..1024},
      default: nil,
      doc: "threads for the arithmetic; by default one for each core, and never more"
    ],
    device: [
      type: {:in, [:cpu, :cuda, :metal]},
      default: :cpu,
      doc: "where it runs; others than `:cpu` when built in"
    ],
    max_bytes: [
      type: :pos_integer,
      default: 8 * 1024 * 1024 * 1024,
      unit: :bytes,
      doc: "refuse a model that would need more memory than this"
    ]
  ]

  @encoder_options [
    precision: [
      type: {:in, [:fp32, :int8]},
      default: :fp32,
      arg: "P",
      doc:
        "how it computes. `:int8` computes with bytes: a quarter of the memory, and faster, for vectors that differ a little; " <>
          "indexes keep the vectors of the two apart"
    ],
    cache: [
      type: {:struct, Ambix.EmbeddingCache},
      default: nil,
      doc: "where `Ambix.Index.embed/3` looks up vectors first and keeps those it makes"
    ]
  ]

  @fetch_options [
    wait: [
      type: :milliseconds,
      default: 0,
      doc: "milliseconds to wait for it to be loaded"
    ]
  ]

  @doc """
  The model of the tree of that name, which `{Ambix, name: name, model: path}` loads.

  Errors: `:unavailable` while it is loaded or if there is none, `:timeout` if it is not there after `:wait`, and those of `load/2`.

  ## Options
  #{Options.docs(@fetch_options)}
  """
  @spec fetch(atom, keyword) :: {:ok, t} | {:error, Error.t()}
  def fetch(name, opts \\ []), do: Model.Server.fetch(name, :model, wait(opts))

  @doc """
  The encoder of the tree of that name, as `fetch/2` gives its model.

  ## Options
  #{Options.docs(@fetch_options)}
  """
  @spec fetch_encoder(atom, keyword) :: {:ok, Encoder.t()} | {:error, Error.t()}
  def fetch_encoder(name, opts \\ []), do: Model.Server.fetch(name, :encoder, wait(opts))

  defp wait(opts), do: Options.validate!(opts, @fetch_options)[:wait]

  @doc """
  Loads a model from a GGUF file.

  Errors: `:not_found`, `:corrupt`, `:version`, `:model` (an architecture, type or tokenizer that is not supported),
  `:limit`, `:not_compiled`.

  ## Options
  #{Options.docs(@load_options)}
  """
  @spec load(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def load(path, opts \\ []) do
    options = load_options(opts, @load_options)

    Telemetry.span([:ambix, :model, :load], %{}, fn ->
      with {:ok, resource} <- Job.run(&Native.model_load(&1, Path.expand(path), options), nil) do
        {:ok, %__MODULE__{resource: resource, name: name(path)}}
      end
    end)
  end

  # Where the file says nothing, its folder does.
  defp name(path) do
    if Path.basename(path) == "model.gguf",
      do: path |> Path.expand() |> Path.dirname() |> Path.basename(),
      else: Path.basename(path, ".gguf")
  end

  @doc """
  Loads an encoder from a folder that holds `config.json`, `model.safetensors` and `tokenizer.json`.

  While it is held anywhere in the VM, to load it again with the same options gives a handle of the same weights: a node
  needs them once, whoever loads them.

  ## Options
  #{Options.docs(@load_options ++ @encoder_options)}
  """
  @spec load_encoder(Path.t(), keyword) :: {:ok, Encoder.t()} | {:error, Error.t()}
  def load_encoder(dir, opts \\ []) do
    {cache, options} = opts |> load_options(@load_options ++ @encoder_options) |> Map.pop(:cache)

    Telemetry.span([:ambix, :model, :load], %{}, fn ->
      with {:ok, {resource, dimensions}} <- Job.run(&Native.encoder_load(&1, Path.expand(dir), options), nil) do
        {:ok, %Encoder{resource: resource, name: Path.basename(dir), dimensions: dimensions, cache: cache}}
      end
    end)
  end

  defp load_options(opts, schema) do
    opts
    |> Options.validate!(schema)
    |> Map.new()
    |> Map.put_new(:precision, :fp32)
    |> Map.update!(:threads, &(&1 || System.schedulers_online()))
  end

  @generate_options [
    max_tokens: [type: :pos_integer, default: 256, arg: "N", doc: "how many tokens to write at the most"],
    temperature: [type: :float, default: 0.0, arg: "T", doc: "0 takes the likeliest token each time"],
    top_k: [type: :non_neg_integer, default: 0, doc: "choose among this many tokens; 0 for all"],
    top_p: [
      type: :float,
      default: 1.0,
      doc: "choose among the likeliest tokens that together reach this probability"
    ],
    min_p: [type: :float, default: 0.0, doc: "drop tokens less likely than this share of the likeliest"],
    repetition_penalty: [type: :float, default: 1.0, doc: "above 1: less of what was already said"],
    stop: [type: {:list, :string}, default: [], doc: "texts that end the answer; they are not part of it"],
    seed: [type: :non_neg_integer, default: 0, arg: "N", doc: "same inputs and seed, same answer"],
    timeout: [
      type: :pos_milliseconds,
      default: nil,
      doc: "milliseconds after which the answer ends as it is, with an error"
    ],
    raw: [
      type: :boolean,
      default: false,
      doc: "take a prompt of text as it is, without the chat template; no name in it is a control token"
    ]
  ]

  @doc """
  Writes an answer and returns it whole: `text`, `tokens`, `prompt_tokens`, `finish_reason`, `prefill_seconds` and
  `generate_seconds`.

  `finish_reason` is `"end_of_text"` where the model ended its answer, `"stop"` before one of the texts of `:stop`, and
  `"length"` after `:max_tokens` tokens.

  ## Options
  #{Options.docs(@generate_options)}
  """
  @spec generate(t | atom, prompt, keyword) :: {:ok, map} | {:error, Error.t()}
  def generate(model, prompt, opts \\ []) do
    opts = Options.validate!(opts, @generate_options)

    with {:ok, model} <- model(model) do
      Telemetry.span([:ambix, :model, :generate], %{model: model.name}, fn ->
        with {:ok, job} <- begin(model, prompt, opts), do: Job.await(job)
      end)
    end
  end

  @doc """
  Starts to write an answer; the text comes to the calling process as `{job.ref, {:text, text}}`, the end as
  `{job.ref, {:ok, stats}}` or `{job.ref, {:error, error}}`. `Ambix.Job.cancel/1` stops it. Options as for `generate/3`.
  """
  @spec start(t | atom, prompt, keyword) :: {:ok, Job.t()} | {:error, Error.t()}
  def start(model, prompt, opts \\ []) do
    opts = Options.validate!(opts, @generate_options)
    with {:ok, model} <- model(model), do: begin(model, prompt, opts)
  end

  defp begin(%__MODULE__{resource: resource}, prompt, opts) do
    {raw, options} = opts |> Map.new() |> Map.pop!(:raw)

    with {:ok, prompt} <- prompt(prompt, raw),
         do: Job.start(&Native.model_generate(&1, resource, prompt, options))
  end

  defp prompt(text, raw) when is_binary(text), do: {:ok, if(raw, do: text, else: [{"user", text}])}

  defp prompt(messages, _raw) do
    if is_list(messages) and not List.improper?(messages) and Enum.all?(messages, &message?/1),
      do: {:ok, Enum.map(messages, &{to_string(&1.role), &1.content})},
      else:
        invalid("a prompt is a text, or a list of messages, each a map with a :role and a :content in UTF-8")
  end

  defp message?(%{role: role, content: content}),
    do: (is_atom(role) or text?(role)) and text?(content)

  defp message?(_other), do: false

  defp text?(text), do: is_binary(text) and String.valid?(text)

  defp model(%__MODULE__{} = model), do: {:ok, model}
  defp model(name) when is_atom(name) and name != nil, do: fetch(name)
  defp model(_other), do: invalid("expected an Ambix.Model, or the name of a tree that has one")

  defp encoder(%Encoder{} = encoder), do: {:ok, encoder}
  defp encoder(name) when is_atom(name) and name != nil, do: fetch_encoder(name)
  defp encoder(_other), do: invalid("expected an Ambix.Model.Encoder, or the name of a tree that has one")

  # The value is not told: it may be a prompt.
  defp invalid(sentence), do: {:error, Error.new(:invalid_argument, sentence)}

  @doc """
  The answer as a stream of `{:text, text}`, closed by `{:done, stats}`. An error, also one in the middle of the answer, is
  raised by whoever reads.

  Stopping to read the stream stops the model. Options as for `generate/3`.
  """
  @spec stream(t | atom, prompt, keyword) :: Enumerable.t()
  def stream(model, prompt, opts \\ []) do
    opts = Options.validate!(opts, @generate_options)

    Stream.resource(
      fn ->
        case start(model, prompt, opts) do
          {:ok, job} -> job
          {:error, error} -> {:failed, error}
        end
      end,
      &next/1,
      &finish/1
    )
  end

  defp next(:done), do: {:halt, :done}
  defp next({:failed, error}), do: raise(error)

  defp next(%Job{ref: ref} = job) do
    receive do
      {^ref, {:text, text}} -> {[{:text, text}], job}
      {^ref, {:ok, stats}} -> {[{:done, stats}], :done}
      # Raised in the next turn: what is raised in this one leaves the stream with the job, which has said its last word.
      {^ref, {:error, error}} -> {[], {:failed, error}}
    end
  end

  # Whoever stops reading must not find the rest of the answer in the mailbox later.
  defp finish(%Job{} = job), do: Job.stop(job)
  defp finish(_ended), do: :ok

  @doc """
  How likely the model finds each of `continuations` after `prompt`: sums of log-probabilities (natural logarithm) and
  numbers of tokens. The prompt is computed once.
  """
  @spec score(t | atom, String.t(), [String.t()]) ::
          {:ok, [%{logprob: float, tokens: non_neg_integer}]} | {:error, Error.t()}
  def score(model, prompt, continuations) do
    with {:ok, %{resource: resource, name: name}} <- model(model) do
      Telemetry.span([:ambix, :model, :generate], %{model: name}, fn ->
        Job.run(&Native.model_score(&1, resource, prompt, continuations), nil)
      end)
    end
  end

  @doc "How many tokens `text` is for the model's own tokenizer. Names of control tokens in it are text like any other."
  @spec count_tokens(t | atom, String.t()) :: {:ok, non_neg_integer} | {:error, Error.t()}
  def count_tokens(model, text),
    do: with({:ok, model} <- model(model), do: Native.model_count_tokens(model.resource, text))

  @doc "What the model is: architecture, parameters, context length, types of weights, bytes in memory."
  @spec info(t | atom) :: {:ok, map} | {:error, Error.t()}
  def info(model), do: with({:ok, model} <- model(model), do: Native.model_info(model.resource))

  @embed_options [
    as: [
      type: {:in, [:lists, :tensor]},
      default: :lists,
      doc:
        "`:tensor` for an `Nx` tensor of the shape `{texts, dimensions}`, whose memory is that of the vectors"
    ]
  ]

  @doc """
  Vectors of the encoder's dimensions, of length 1, one for each text.

  ## Options
  #{Options.docs(@embed_options)}
  """
  @spec embed(Encoder.t() | atom, [String.t()], keyword) :: {:ok, [[float]] | struct} | {:error, Error.t()}
  def embed(encoder, texts, opts \\ []) do
    opts = Options.validate!(opts, @embed_options)
    if opts[:as] == :tensor, do: Tensor.require!()

    with {:ok, encoder} <- encoder(encoder),
         :ok <-
           if(is_list(texts) and not List.improper?(texts), do: :ok, else: invalid("expected a list of texts")) do
      Telemetry.span([:ambix, :model, :embed], %{model: encoder.name, texts: length(texts)}, fn ->
        vectors(encoder.resource, texts, opts[:as])
      end)
    end
  end

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas,
    do: [
      fetch: @fetch_options,
      fetch_encoder: @fetch_options,
      load: @load_options,
      load_encoder: @load_options ++ @encoder_options,
      generate: @generate_options,
      start: @generate_options,
      stream: @generate_options,
      embed: @embed_options
    ]

  defp vectors(resource, texts, :lists), do: Job.run(&Native.encoder_embed(&1, resource, texts), nil)

  defp vectors(resource, texts, :tensor) do
    with {:ok, matrix} <- Job.run(&Native.encoder_matrix(&1, resource, texts), nil),
         do: {:ok, Tensor.from(matrix)}
  end

  defimpl Inspect do
    def inspect(model, _opts), do: "#Ambix.Model<#{model.name}>"
  end
end
