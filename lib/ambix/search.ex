defmodule Ambix.Search do
  @moduledoc """
  Tree of thought (Yao et al., 2023) as a state machine that does nothing by itself: ask it what to do next, do that, and
  tell it what came of it.

      search = Ambix.Search.new!(policy: :best_first, budget: [nodes: 100])
      {:ok, [{:expand, root}]} = Ambix.Search.ask(search, 1)
      :ok = Ambix.Search.children(search, root, [%{payload: 1, prior: 0.9, label: "first idea"}])
      {:ok, [{:evaluate, node, 1}]} = Ambix.Search.ask(search, 1)
      :ok = Ambix.Search.verdict(search, node, %{score: 1.0, solved: true})
      {:ok, %{state: :solved}} = Ambix.Search.status(search)

  A thought is a number that means something to the caller, its `payload`. Several tasks may be asked for at a time and be
  told in any order. Same tellings and seed, same tree.
  """

  alias Ambix.{Error, Native, Options}

  @enforce_keys [:resource]
  defstruct [:resource]

  @type t :: %__MODULE__{resource: reference}
  @type tree_node :: non_neg_integer
  @type task ::
          {:expand, tree_node, payload :: non_neg_integer}
          | {:evaluate, tree_node, payload :: non_neg_integer}

  @options [
    policy: [
      type: {:in, [:best_first, :beam, :depth_first]},
      default: :best_first,
      doc: "which thought comes next"
    ],
    width: [type: :pos_integer, default: 5, doc: "for `:beam`: how many thoughts of a depth are kept"],
    prune_below: [type: :float, default: 0.0, doc: "for `:depth_first`: a score below which it turns back"],
    max_nodes: [type: :pos_integer, default: 10_000, doc: "evaluations at the most"],
    max_tokens: [type: :pos_integer, default: nil, doc: "tokens at the most, as told in verdicts"],
    max_seconds: [type: :float, default: nil, doc: "seconds at the most, as told by `tick/2`"],
    max_depth: [type: :pos_integer, default: 3, doc: "thoughts on one path at the most"],
    max_solutions: [type: :pos_integer, default: 1, doc: "end after so many solutions"],
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
  def ask(%__MODULE__{resource: resource}, count), do: Native.tree_ask(resource, count)

  @doc "Tells what follows from a node: maps with `:payload`, `:prior` (0 to 1) and `:label`."
  @spec children(t, tree_node, [%{payload: non_neg_integer, prior: float, label: String.t()}]) ::
          :ok | {:error, Error.t()}
  def children(%__MODULE__{resource: resource}, node, thoughts) do
    thoughts = Enum.map(thoughts, &{&1.payload, &1.prior / 1, &1.label})
    done(Native.tree_children(resource, node, thoughts))
  end

  @doc """
  Tells how good a node is: `:score` from 0 to 1, and if so `solved: true`, or `dead: true` for what leads nowhere; also
  `:tokens`, `:seconds` and a short `:note` for the trace.
  """
  @spec verdict(t, tree_node, map) :: :ok | {:error, Error.t()}
  def verdict(%__MODULE__{resource: resource}, node, verdict) do
    defaults = %{score: 0.0, solved: false, dead: false, tokens: 0, seconds: 0.0, note: ""}
    verdict = Map.merge(defaults, verdict)

    done(
      Native.tree_verdict(resource, node, %{verdict | score: verdict.score / 1, seconds: verdict.seconds / 1})
    )
  end

  @doc "Tells how many seconds have passed since the search began; the tree has no clock."
  @spec tick(t, number) :: :ok | {:error, Error.t()}
  def tick(%__MODULE__{resource: resource}, seconds), do: done(Native.tree_tick(resource, seconds / 1))

  @doc "`%{state: :running | :solved | :exhausted, reason: text, evaluated: n, best: node | nil}`."
  @spec status(t) :: {:ok, map} | {:error, Error.t()}
  def status(%__MODULE__{resource: resource}), do: Native.tree_status(resource)

  @doc "The tree as `:text`, as a `:mermaid` flowchart, or as `:data`: a list of maps, parents before children."
  @spec trace(t, :text | :mermaid | :data) :: {:ok, String.t() | [map]} | {:error, Error.t()}
  def trace(%__MODULE__{resource: resource}, form \\ :text) when form in [:text, :mermaid, :data] do
    Native.tree_trace(resource, form)
  end

  defp done({:ok, _}), do: :ok
  defp done({:error, error}), do: {:error, error}

  defimpl Inspect do
    def inspect(_search, _opts), do: "#Ambix.Search<>"
  end
end
