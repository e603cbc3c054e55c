defmodule Host do
  @moduledoc "An application that embeds Aludel, with a little code of its own to be found."

  @doc "The file of this application that answers `query` best, once its code is read."
  def find(query) do
    {:ok, _} = Aludel.refresh(Host.Aludel)
    {:ok, index} = Aludel.index(Host.Aludel)
    {:ok, answer} = Aludel.Index.search(index, query, mode: :lexical)
    hd(answer.results).file
  end
end
