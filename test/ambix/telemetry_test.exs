defmodule Ambix.TelemetryTest do
  # A module named :telemetry is there for all processes while these tests run.
  use ExUnit.Case, async: false

  alias Ambix.{Error, FakeTelemetry, Telemetry}

  test "every span has three events" do
    events = Telemetry.events()
    assert length(events) == 3 * length(Telemetry.spans())
    assert events == Enum.uniq(events)
    assert [:ambix, :index, :build, :start] in events
    assert [:ambix, :agent, :step, :exception] in events
  end

  test "the module's documentation names every span" do
    {:docs_v1, _, _, _, %{"en" => doc}, _, _} = Code.fetch_docs(Telemetry)
    for span <- Telemetry.spans(), do: assert(doc =~ "| `#{inspect(span)}` |")
  end

  test "without the library the function just runs" do
    assert Telemetry.span([:ambix, :index, :build], %{}, fn -> {:ok, 1} end) == {:ok, 1}
  end

  test "a span whose name is not listed is refused with and without the library" do
    assert_raise KeyError, fn -> Telemetry.span([:ambix, :nonsense], %{}, fn -> :ok end) end
  end

  describe "with the library" do
    setup do: FakeTelemetry.install()

    test "each listed span emits start and stop, joined by their context" do
      for span <- Telemetry.spans() do
        assert Telemetry.span(span, %{mode: :fast}, fn -> {:ok, :value} end) == {:ok, :value}
        start = span ++ [:start]
        stop = span ++ [:stop]
        assert_received {:event, ^start, %{system_time: _, monotonic_time: _}, %{mode: :fast} = before}
        assert_received {:event, ^stop, %{duration: _}, %{mode: :fast, outcome: :ok} = metadata}
        assert before.telemetry_span_context == metadata.telemetry_span_context
      end
    end

    test "the stop event holds the listed keys of the value and never its text" do
      Telemetry.span([:ambix, :model, :generate], %{}, fn ->
        {:ok, %{text: "secret", tokens: 3, finish_reason: "stop"}}
      end)

      assert_received {:event, [:ambix, :model, :generate, :stop], _, metadata}
      assert metadata.tokens == 3
      assert metadata.finish_reason == "stop"
      refute inspect(metadata) =~ "secret"
    end

    test "an error's kind is told, its message is not" do
      result = {:error, Error.new(:io, "cannot read secret.ex")}
      assert Telemetry.span([:ambix, :index, :open], %{}, fn -> result end) == result

      assert_received {:event, [:ambix, :index, :open, :stop], _,
                       %{outcome: :error, error_kind: :io} = metadata}

      refute inspect(metadata) =~ "secret"
    end

    test "a raise is told and goes on" do
      assert_raise RuntimeError, "no", fn ->
        Telemetry.span([:ambix, :fix, :run], %{}, fn -> raise "no" end)
      end

      assert_received {:event, [:ambix, :fix, :run, :exception], %{duration: _}, %{kind: :error}}
    end
  end
end
