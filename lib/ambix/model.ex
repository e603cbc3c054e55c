defmodule Ambix.Model do
  @moduledoc """
  A language model that runs in this VM, and encoders that turn text into vectors.

  `load/2` takes a GGUF file of the architectures llama, qwen2 or qwen3; `load_encoder/2` a folder with a BERT encoder
  such as all-MiniLM-L6-v2. Neither needs a network or a key. Loaded weights are shared by all processes that hold the
  handle and are freed with the last of them.

      {:ok, path} = Ambix.Models.path("SmolLM2-135M-Instruct")
      {:ok, model} = Ambix.Model.load(path)
      for {:text, text} <- Ambix.Model.stream(model, "Name a fruit."), do: IO.write(text)
  """

  alias Ambix.{Error, Job, Native, Options, Telemetry, Tensor}

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
      type: :pos_integer,
      default: nil,
      doc: "threads for the arithmetic; by default one for each core"
    ],
    device: [
      type: {:in, [:cpu, :cuda, :metal]},
      default: :cpu,
      doc: "where it runs; others than `:cpu` when built in"
    ],
    max_bytes: [
      type: :pos_integer,
      default: 8 * 1024 * 1024 * 1024,
      doc: "refuse a model that would need more memory than this"
    ]
  ]

  @encoder_options [
    precision: [
      type: {:in, [:fp32, :int8]},
      default: :fp32,
      doc:
        "`:int8` computes with bytes: a quarter of the memory, and faster, for vectors that differ a little; " <>
          "indexes keep the vectors of the two apart"
    ],
    cache: [
      type: {:struct, Ambix.EmbeddingCache},
      default: nil,
      doc: "where `Ambix.Index.embed/3` looks up vectors first and keeps those it makes"
    ]
  ]

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
    max_tokens: [type: :pos_integer, default: 256, doc: "how many tokens to write at the most"],
    temperature: [type: :float, default: 0.0, doc: "0 takes the likeliest token each time"],
    top_k: [type: :non_neg_integer, default: 0, doc: "choose among this many tokens; 0 for all"],
    top_p: [
      type: :float,
      default: 1.0,
      doc: "choose among the likeliest tokens that together reach this probability"
    ],
    min_p: [type: :float, default: 0.0, doc: "drop tokens less likely than this share of the likeliest"],
    repetition_penalty: [type: :float, default: 1.0, doc: "above 1: less of what was already said"],
    stop: [type: {:list, :string}, default: [], doc: "texts that end the answer; they are not part of it"],
    seed: [type: :non_neg_integer, default: 0, doc: "same inputs and seed, same answer"],
    timeout: [
      type: :pos_integer,
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
  Writes an answer and returns it whole: `text`, `tokens`, `prompt_tokens`, `finish_reason` (`"stop"`, `"length"`),
  `prefill_seconds` and `generate_seconds`.

  ## Options
  #{Options.docs(@generate_options)}
  """
  @spec generate(t, prompt, keyword) :: {:ok, map} | {:error, Error.t()}
  def generate(%__MODULE__{} = model, prompt, opts \\ []) do
    Telemetry.span([:ambix, :model, :generate], %{model: model.name}, fn ->
      with {:ok, job} <- start(model, prompt, opts), do: Job.await(job)
    end)
  end

  @doc """
  Starts to write an answer; the text comes to the calling process as `{job.ref, {:text, text}}`, the end as
  `{job.ref, {:ok, stats}}` or `{job.ref, {:error, error}}`. `Ambix.Job.cancel/1` stops it. Options as for `generate/3`.
  """
  @spec start(t, prompt, keyword) :: {:ok, Job.t()} | {:error, Error.t()}
  def start(%__MODULE__{resource: resource}, prompt, opts \\ []) do
    options = opts |> Options.validate!(@generate_options) |> Map.new()
    {raw, options} = Map.pop!(options, :raw)

    messages =
      case prompt do
        text when is_binary(text) and raw -> text
        text when is_binary(text) -> [{"user", text}]
        messages when is_list(messages) -> Enum.map(messages, &{to_string(&1.role), to_string(&1.content)})
      end

    Job.start(&Native.model_generate(&1, resource, messages, options))
  end

  @doc """
  The answer as a stream of `{:text, text}`, closed by `{:done, stats}`; an error raises.

  Stopping to read the stream stops the model. Options as for `generate/3`.
  """
  @spec stream(t, prompt, keyword) :: Enumerable.t()
  def stream(%__MODULE__{} = model, prompt, opts \\ []) do
    Stream.resource(
      fn ->
        case start(model, prompt, opts) do
          {:ok, job} -> job
          {:error, error} -> raise error
        end
      end,
      &next/1,
      &finish/1
    )
  end

  defp next(:done), do: {:halt, :done}

  defp next(%Job{ref: ref} = job) do
    receive do
      {^ref, {:text, text}} -> {[{:text, text}], job}
      {^ref, {:ok, stats}} -> {[{:done, stats}], :done}
      {^ref, {:error, error}} -> raise error
    end
  end

  defp finish(:done), do: :ok

  # Whoever stops reading must not find the rest of the answer in the mailbox later.
  defp finish(%Job{} = job) do
    Job.cancel(job)
    Job.await(job)
    :ok
  end

  @doc """
  How likely the model finds each of `continuations` after `prompt`: sums of log-probabilities (natural logarithm) and
  numbers of tokens. The prompt is computed once.
  """
  @spec score(t, String.t(), [String.t()]) ::
          {:ok, [%{logprob: float, tokens: non_neg_integer}]} | {:error, Error.t()}
  def score(%__MODULE__{resource: resource, name: name}, prompt, continuations) do
    Telemetry.span([:ambix, :model, :generate], %{model: name}, fn ->
      Job.run(&Native.model_score(&1, resource, prompt, continuations), nil)
    end)
  end

  @doc "How many tokens `text` is for the model's own tokenizer. Names of control tokens in it are text like any other."
  @spec count_tokens(t, String.t()) :: {:ok, non_neg_integer} | {:error, Error.t()}
  def count_tokens(%__MODULE__{resource: resource}, text), do: Native.model_count_tokens(resource, text)

  @doc "What the model is: architecture, parameters, context length, types of weights, bytes in memory."
  @spec info(t) :: {:ok, map} | {:error, Error.t()}
  def info(%__MODULE__{resource: resource}), do: Native.model_info(resource)

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
  @spec embed(Encoder.t(), [String.t()], keyword) :: {:ok, [[float]] | struct} | {:error, Error.t()}
  def embed(%Encoder{resource: resource, name: name}, texts, opts \\ []) do
    opts = Options.validate!(opts, @embed_options)
    if opts[:as] == :tensor, do: Tensor.require!()

    Telemetry.span([:ambix, :model, :embed], %{model: name, texts: length(texts)}, fn ->
      case opts[:as] do
        :lists ->
          Job.run(&Native.encoder_embed(&1, resource, texts), nil)

        :tensor ->
          with {:ok, matrix} <- Job.run(&Native.encoder_matrix(&1, resource, texts), nil),
               do: {:ok, Tensor.from(matrix)}
      end
    end)
  end

  defimpl Inspect do
    def inspect(model, _opts), do: "#Ambix.Model<#{model.name}>"
  end
end
