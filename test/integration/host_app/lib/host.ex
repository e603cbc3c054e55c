defmodule Host do
  @moduledoc "An application that embeds Ambix, with a little code of its own to be found."

  @doc "The file of this application that answers `query` best, once its code is read."
  def find(query) do
    {:ok, _} = Ambix.refresh(Host.Ambix)
    {:ok, index} = Ambix.index(Host.Ambix)
    {:ok, answer} = Ambix.Index.search(index, query, mode: :lexical)
    hd(answer.results).file
  end
end
