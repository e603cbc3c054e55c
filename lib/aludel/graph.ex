defmodule Aludel.Graph do
  @moduledoc """
  The graph of code of an index: who calls whom, what a change touches, what matters most.

  A symbol is written as people write it: `"Shop.Cart.add/2"`, `"Shop.Cart.add"`, `"add/2"`, `"add"` or a module,
  `"Shop.Cart"`. Where nothing has that name, the error names what is close to it.
  """

  alias Aludel.{Error, Index, Native, Options, Telemetry}

  @typedoc "A definition that was reached, `depth` calls away."
  @type hit :: %{
          symbol: String.t(),
          kind: String.t(),
          file: Path.t(),
          line: pos_integer,
          depth: pos_integer
        }

  @depth [depth: [type: :pos_integer, default: 1, doc: "how many calls away at the most"]]

  @doc """
  Who calls `symbol`.

  ## Options
  #{Options.docs(@depth)}
  """
  @spec callers(Index.t(), String.t(), keyword) :: {:ok, [hit]} | {:error, Error.t()}
  def callers(index, symbol, opts \\ []), do: walk(index, symbol, opts, &Native.graph_callers/3)

  @doc """
  Whom `symbol` calls, within the project.

  ## Options
  #{Options.docs(@depth)}
  """
  @spec callees(Index.t(), String.t(), keyword) :: {:ok, [hit]} | {:error, Error.t()}
  def callees(index, symbol, opts \\ []), do: walk(index, symbol, opts, &Native.graph_callees/3)

  @doc "What a change of a file or a symbol may touch: all that reaches it by calls, tests included."
  @spec impact(Index.t(), String.t()) :: {:ok, [hit]} | {:error, Error.t()}
  def impact(%Index{resource: resource}, file_or_symbol) when is_binary(file_or_symbol) do
    query(fn -> Native.graph_impact(resource, file_or_symbol) end)
  end

  @limit [limit: [type: :pos_integer, default: 20, doc: "how many at the most"]]

  @doc """
  What matters most: definitions by PageRank (Brin and Page, 1998) over calls.

  ## Options
  #{Options.docs(@limit)}
  """
  @spec rank(Index.t(), keyword) ::
          {:ok, [%{symbol: String.t(), file: Path.t(), line: pos_integer, score: float}]}
          | {:error, Error.t()}
  def rank(%Index{resource: resource}, opts \\ []) do
    opts = Options.validate!(opts, @limit)
    query(fn -> Native.graph_rank(resource, opts[:limit]) end)
  end

  @guessed [
    guessed: [
      type: :boolean,
      default: false,
      doc: "also those that a macro or a value known only at run time may change"
    ]
  ]

  @doc """
  Every call from function to function, calls to functions outside the project included, as
  `{caller_module, caller, caller_arity, callee_module, callee, callee_arity}`. Calls in the body of a module have `nil` as
  caller and its arity.

  ## Options
  #{Options.docs(@guessed)}
  """
  @spec edges(Index.t(), keyword) ::
          {:ok, [{String.t(), String.t() | nil, arity | nil, String.t(), String.t(), arity}]}
          | {:error, Error.t()}
  def edges(%Index{resource: resource}, opts \\ []) do
    opts = Options.validate!(opts, @guessed)

    with {:ok, edges} <- query(fn -> Native.graph_edges(resource, opts[:guessed]) end) do
      {:ok, Enum.map(edges, fn {caller, callee} -> flat(caller, callee) end)}
    end
  end

  defp flat({caller_module, caller, caller_arity}, {callee_module, callee, callee_arity}),
    do: {caller_module, caller, caller_arity, callee_module, callee, callee_arity}

  defp walk(%Index{resource: resource}, symbol, opts, native) when is_binary(symbol) do
    opts = Options.validate!(opts, @depth)
    query(fn -> native.(resource, symbol, opts[:depth]) end)
  end

  defp query(fun), do: Telemetry.span([:aludel, :graph, :query], %{}, fun)
end
