defmodule Ambix.CLI.Workspace do
  @moduledoc false
  # `Ambix.Workspace` with its progress and its warnings on standard error.

  alias Ambix.{CLI, Error, Index, Workspace}
  alias Ambix.CLI.Progress
  alias Ambix.Tool.Host

  @doc "All that a search needs."
  @spec open(keyword) :: {:ok, Workspace.t()} | {:error, Error.t()}
  def open(opts) do
    with {:ok, workspace} <- shown(opts, &Workspace.open/1) do
      warn(workspace.index)
      {:ok, workspace}
    end
  end

  @doc "All that a search needs, for tools."
  @spec host(keyword) :: {:ok, Host.t()} | {:error, Error.t()}
  def host(opts) do
    with {:ok, workspace} <- open(opts),
         do:
           {:ok,
            Host.new(
              workspace.index,
              workspace |> Map.from_struct() |> Map.take([:packages, :encoder, :reranker])
            )}
  end

  @doc "The index of the folder that the options name, and its packages where they ask for these, for tools."
  @spec host_of_code(keyword) :: {:ok, Host.t()} | {:error, Error.t()}
  def host_of_code(opts) do
    with {:ok, index} <- index(opts), do: host_of(index, opts)
  end

  @doc "As `host_of_code/1`, of an index that is open."
  @spec host_of(Index.t(), keyword) :: {:ok, Host.t()} | {:error, Error.t()}
  def host_of(index, opts) do
    with {:ok, packages} <- shown(opts, &Workspace.packages/1), do: {:ok, Host.new(index, packages: packages)}
  end

  @doc "The index of the folder that the options name; as one of `fun` if that is given."
  @spec index(keyword, (keyword -> result)) :: result when result: {:ok, Index.t()} | {:error, Error.t()}
  def index(opts, fun \\ &Workspace.open_index/1) do
    with {:ok, index} <- shown(opts, fun) do
      warn(index)
      {:ok, index}
    end
  end

  @doc "What an answer was made from, in words."
  @spec made_from(map) :: String.t()
  def made_from(%{vectors: 0, chunks: chunks}), do: "from the words of #{chunks} chunks"

  def made_from(%{vectors: vectors, chunks: chunks} = made) do
    if Map.get(made, :semantic, true),
      do: "from the words of #{chunks} chunks and the vectors of #{vectors}",
      else: "from the words of #{chunks} chunks"
  end

  @doc "What counted tokens, in words."
  @spec counted_by(Ambix.Model.t() | nil) :: String.t()
  def counted_by(nil), do: "tokens, as estimated"
  def counted_by(model), do: "tokens of #{model.name}"

  defp shown(opts, fun), do: Progress.run([quiet: opts[:quiet]], &fun.([progress: &1] ++ opts))

  defp warn(index), do: if(warning = Workspace.warning(index), do: CLI.remark(["Note: ", warning]))
end
