defmodule Aludel.Test.Wait do
  @moduledoc "Waiting for what happens soon but at no known moment, such as the freeing of a resource."

  @doc "Whether `condition` becomes true within two seconds; collects garbage before each look."
  def eventually(condition, attempts \\ 200) do
    :erlang.garbage_collect()

    cond do
      condition.() -> true
      attempts == 0 -> false
      true -> receive(do: (:never -> false), after: (10 -> eventually(condition, attempts - 1)))
    end
  end
end
