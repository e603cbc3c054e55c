defmodule Ambix.CLI.Workspace do
  @moduledoc false
  # `Ambix.Workspace` with its progress and its warnings on standard error.

  alias Ambix.{CLI, Error, Index, Workspace}
  alias Ambix.CLI.Progress

  @doc "All that a search needs."
  @spec open(keyword) :: {:ok, Workspace.t()} | {:error, Error.t()}
  def open(opts) do
    with {:ok, workspace} <- shown(opts, &Workspace.open/1) do
      warn(workspace.index)
      {:ok, workspace}
    end
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
