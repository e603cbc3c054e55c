defmodule Ambix.Search do
  @moduledoc """
  Tree of thought (Yao et al., 2023) as a state machine that does nothing by itself: ask it what to do next, do that, and
  tell it what came of it.

      iex> search = Ambix.Search.new!(policy: :best_first, max_nodes: 100)
      iex> {:ok, [{:expand, root, nil}]} = Ambix.Search.ask(search, 1)
      iex> :ok = Ambix.Search.children(search, root, [%{payload: {:swap, 3}, prior: 0.9, label: "first idea"}])
      iex> {:ok, [{:evaluate, node, {:swap, 3}}]} = Ambix.Search.ask(search, 1)
      iex> :ok = Ambix.Search.verdict(search, node, %{score: 1.0, solved: true})
      iex> {:ok, status} = Ambix.Search.status(search)
      iex> status.state
      :solved

  What a thought means to the caller is its `payload`, any term; equal ones are the same thought, which is evaluated once. The
  root has none. Several tasks may be asked for at a time and be told in any order. Same tellings and seed, same tree.
  """

  alias Ambix.{Error, Native, Options}

  @enforce_keys [:resource]
  defstruct [:resource]

  @type t :: %__MODULE__{resource: reference}
  @type tree_node :: non_neg_integer
  @type task ::
          {:expand, tree_node, payload :: term}
          | {:evaluate, tree_node, payload :: term}

  @options [
    policy: [
      type: {:in, [:best_first, :beam, :depth_first]},
      default: :best_first,
      arg: "NAME",
      doc: "which thought comes next"
    ],
    width: [type: :pos_integer, default: 5, doc: "for `:beam`: how many thoughts of a depth are kept"],
    prune_below: [type: :float, default: 0.0, doc: "for `:depth_first`: a score below which it turns back"],
    max_nodes: [type: :pos_integer, default: 10_000, doc: "evaluations at the most"],
    max_tokens: [type: :pos_integer, default: nil, doc: "tokens at the most, as told in verdicts"],
    max_seconds: [type: :float, default: nil, doc: "seconds at the most, as told by `tick/2`"],
    max_depth: [type: {:integer, 1..65_535}, default: 3, doc: "thoughts on one path at the most"],
    max_solutions: [type: {:integer, 1..65_535}, default: 1, doc: "end after so many solutions"],
    seed: [type: :non_neg_integer, default: 0, doc: "breaks ties"]
  ]

  @doc """
  A new tree that holds its root.

  ## Options
  #{Options.docs(@options)}
  """
  @spec new(keyword) :: {:ok, t} | {:error, Error.t()}
  def new(opts \\ []) do
    options = opts |> Options.validate!(@options) |> Map.new()
    with {:ok, resource} <- Native.tree_new(options), do: {:ok, %__MODULE__{resource: resource}}
  end

  @doc "Like `new/1`, and raises the error."
  @spec new!(keyword) :: t
  def new!(opts \\ []) do
    case new(opts) do
      {:ok, search} -> search
      {:error, error} -> raise error
    end
  end

  @doc "At most `count` things to do next; none while all that is left to do was handed out, or when the search is over."
  @spec ask(t, pos_integer) :: {:ok, [task]} | {:error, Error.t()}
  def ask(search, count) do
    with {:ok, resource} <- tree(search),
         {:ok, tasks} <- Native.tree_ask(resource, count) do
      {:ok, for({kind, node, payload} <- tasks, do: {kind, node, read(payload)})}
    end
  end

  @typedoc "A next step: how likely it is to help, from 0 to 1, and one line for a person."
  @type thought :: %{payload: term, prior: float, label: String.t()}

  @doc "Tells what follows from a node that was to be expanded."
  @spec children(t, tree_node, [thought]) :: :ok | {:error, Error.t()}
  def children(search, node, thoughts),
    do: told(search, &thoughts(thoughts, fn written -> Native.tree_children(&1, node, written) end))

  @doc "Tells more of what follows from a node that has been given children."
  @spec more(t, tree_node, [thought]) :: :ok | {:error, Error.t()}
  def more(search, node, thoughts),
    do: told(search, &thoughts(thoughts, fn written -> Native.tree_more(&1, node, written) end))

  # What was given instead is not told: payloads may be sources.
  defp tree(%__MODULE__{resource: resource}), do: {:ok, resource}
  defp tree(_other), do: invalid("expected an Ambix.Search")

  defp told(search, tell), do: with({:ok, resource} <- tree(search), do: tell.(resource))

  defp thoughts(thoughts, tell) do
    if is_list(thoughts) and not List.improper?(thoughts) and Enum.all?(thoughts, &thought?/1),
      do: done(tell.(Enum.map(thoughts, &written/1))),
      else: invalid("thoughts are a list of maps, each with a :payload, a :prior from 0 to 1 and a :label")
  end

  defp thought?(%{payload: _, prior: prior, label: label}), do: number?(prior) and is_binary(label)
  defp thought?(_other), do: false

  # What division makes a float of.
  defp number?(value), do: is_float(value) or (is_integer(value) and abs(value) < 0x1_0000_0000)

  defp invalid(sentence), do: {:error, Error.new(:invalid_argument, sentence)}

  # The tree compares payloads by their bytes.
  defp written(thought),
    do: {:erlang.term_to_binary(thought.payload, [:deterministic]), thought.prior / 1, thought.label}

  defp read(nil), do: nil
  defp read(payload), do: :erlang.binary_to_term(payload, [:safe])

  @doc """
  Tells how good a node is: `:score` from 0 to 1, and if so `solved: true`, or `dead: true` for what leads nowhere; also
  `:tokens`, `:seconds` and a short `:note` for the trace.
  """
  @spec verdict(t, tree_node, map) :: :ok | {:error, Error.t()}
  def verdict(search, node, verdict) do
    defaults = %{score: 0.0, solved: false, dead: false, tokens: 0, seconds: 0.0, note: ""}
    verdict = if is_map(verdict), do: Map.merge(defaults, verdict), else: %{score: nil}

    if number?(verdict.score) and number?(verdict.seconds) do
      verdict = %{verdict | score: verdict.score / 1, seconds: verdict.seconds / 1}
      told(search, &done(Native.tree_verdict(&1, node, verdict)))
    else
      invalid("a verdict is a map whose :score and :seconds are numbers")
    end
  end

  @doc "Gives back a node that was to be evaluated and was not: it waits again."
  @spec untried(t, tree_node) :: :ok | {:error, Error.t()}
  def untried(search, node), do: told(search, &done(Native.tree_untried(&1, node)))

  @doc "Tells how many seconds have passed since the search began; the tree has no clock."
  @spec tick(t, number) :: :ok | {:error, Error.t()}
  def tick(search, seconds) do
    if number?(seconds),
      do: told(search, &done(Native.tree_tick(&1, seconds / 1))),
      else: invalid("the seconds that have passed are a number")
  end

  @doc "`%{state: :running | :solved | :exhausted, reason: text, evaluated: n, best: node | nil}`."
  @spec status(t) :: {:ok, map} | {:error, Error.t()}
  def status(search), do: told(search, &Native.tree_status/1)

  @all 0xFFFFFFFF
  @trace_options [
    children: [
      type: {:or, [:pos_integer, {:in, [:all]}]},
      default: 12,
      doc:
        "how many children of a node that were tried are shown at the most, or `:all`; a line counts the others"
    ]
  ]

  @doc """
  The tree as `:text`, as a `:mermaid` flowchart, or as `:data`: a list of maps, parents before children.

  ## Options
  #{Options.docs(@trace_options)}
  """
  @spec trace(t, :text | :mermaid | :data, children: pos_integer | :all) ::
          {:ok, String.t() | [map]} | {:error, Error.t()}
  def trace(search, form \\ :text, opts \\ []) do
    children = Options.validate!(opts, @trace_options)[:children]

    with {:ok, resource} <- tree(search),
         :ok <- form(form),
         {:ok, nodes} when is_list(nodes) <-
           Native.tree_trace(resource, form, if(children == :all, do: @all, else: min(children, @all))) do
      {:ok, Enum.map(nodes, &%{&1 | payload: read(&1.payload)})}
    end
  end

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [new: @options, trace: @trace_options]

  defp form(form) when form in [:text, :mermaid, :data], do: :ok
  defp form(_other), do: invalid("a trace is shown as :text, :mermaid or :data")

  defp done({:ok, _}), do: :ok
  defp done({:error, error}), do: {:error, error}

  defimpl Inspect do
    def inspect(_search, _opts), do: "#Ambix.Search<>"
  end
end
