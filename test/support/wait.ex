defmodule Ambix.Test.Wait do
  @moduledoc "Waiting for what happens soon but at no known moment, such as the freeing of a resource."

  @doc "Returns when `condition` is true; fails the test when it is not within ten seconds."
  def wait_until(condition, attempts \\ 500) do
    cond do
      condition.() -> :ok
      attempts == 0 -> ExUnit.Assertions.flunk("it did not come true")
      true -> receive(do: (:never -> :ok), after: (20 -> wait_until(condition, attempts - 1)))
    end
  end

  @doc "Processes of this machine whose command line holds `text`."
  def processes(text) do
    for path <- Path.wildcard("/proc/[0-9]*/cmdline"),
        {:ok, line} <- [File.read(path)],
        line =~ text,
        do: path
  end

  @doc "Whether `condition` becomes true within ten seconds; collects garbage before each look."
  def eventually(condition, attempts \\ 1000) do
    :erlang.garbage_collect()

    cond do
      condition.() -> true
      attempts == 0 -> false
      true -> receive(do: (:never -> false), after: (10 -> eventually(condition, attempts - 1)))
    end
  end
end
