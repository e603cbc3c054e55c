defmodule :telemetry do
  @moduledoc false
  # Stands in for the library of this name: a span prints the events that the real one would emit.

  def span(prefix, metadata, fun) do
    print(prefix, :start, metadata)
    {result, stop_metadata} = fun.()
    print(prefix, :stop, stop_metadata)
    result
  end

  defp print(prefix, suffix, metadata) do
    IO.puts("event #{Enum.join(prefix ++ [suffix], ".")} #{inspect(Map.keys(metadata))}")
  end
end
