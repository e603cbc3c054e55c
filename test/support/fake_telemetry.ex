defmodule Ambix.FakeTelemetry do
  @moduledoc "A stand-in for the telemetry library, by the convention of its `span/3`, which sends each event to a process."

  @doc """
  Defines a module `:telemetry` that sends `{:event, name, measurements, metadata}` to the calling process, and takes it away
  when the test ends.
  """
  def install do
    :persistent_term.put(__MODULE__, self())

    Code.compile_quoted(
      quote do
        defmodule :telemetry do
          def span(event, metadata, fun), do: unquote(__MODULE__).span(event, metadata, fun)
        end
      end
    )

    ExUnit.Callbacks.on_exit(fn ->
      :code.purge(:telemetry)
      :code.delete(:telemetry)
      :persistent_term.erase({Ambix.Optional, :telemetry})
      :persistent_term.erase(__MODULE__)
    end)
  end

  @doc false
  def span(event, metadata, fun) do
    metadata = Map.put(metadata, :telemetry_span_context, make_ref())
    start = System.monotonic_time()
    send_event(event ++ [:start], %{monotonic_time: start, system_time: System.system_time()}, metadata)

    try do
      {result, stop} = fun.()
      send_event(event ++ [:stop], measured(start), Map.merge(metadata, stop))
      result
    catch
      kind, reason ->
        more = %{kind: kind, reason: reason, stacktrace: __STACKTRACE__}
        send_event(event ++ [:exception], measured(start), Map.merge(metadata, more))
        :erlang.raise(kind, reason, __STACKTRACE__)
    end
  end

  defp measured(start) do
    now = System.monotonic_time()
    %{duration: now - start, monotonic_time: now}
  end

  defp send_event(name, measurements, metadata),
    do: send(:persistent_term.get(__MODULE__), {:event, name, measurements, metadata})
end
