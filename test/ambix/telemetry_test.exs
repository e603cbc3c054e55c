defmodule Ambix.TelemetryTest do
  # A module named :telemetry is there for all processes while these tests run.
  use ExUnit.Case, async: false

  alias Ambix.{Error, FakeTelemetry, Graph, Index, Model, Models, Packages, Sandbox, Telemetry}
  alias Ambix.Test.Needs

  defmodule Steps do
    @behaviour Ambix.Agent

    @impl true
    def init(outcome), do: {:ok, outcome}

    @impl true
    def step(:done, _emit), do: {:done, :result, :state}
    def step(:error, _emit), do: {:error, Ambix.Error.new(:project, "the secret text"), :state}
  end

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

  # Each span, what it needs, and the operation that emits it, which answers with what becomes of it.
  @operations [
    {[:ambix, :index, :build], nil, :ok, quote(do: Index.build(var!(dir)))},
    {[:ambix, :index, :build], nil, :not_found, quote(do: Index.build(Path.join(var!(dir), "none")))},
    {[:ambix, :index, :update], nil, :ok, quote(do: Index.update(var!(index)))},
    {[:ambix, :index, :observe], nil, :ok, quote(do: Index.observe(var!(index), folders: []))},
    {[:ambix, :index, :save], nil, :ok, quote(do: Index.save(var!(index), Path.join(var!(dir), "saved")))},
    {[:ambix, :index, :open], nil, :ok, quote(do: Index.open(saved(var!(index), var!(dir))))},
    {[:ambix, :index, :open], nil, :not_found, quote(do: Index.open(Path.join(var!(dir), "none")))},
    {[:ambix, :index, :status], nil, :ok, quote(do: Index.status(var!(index)))},
    {[:ambix, :index, :search], nil, :ok, quote(do: Index.search(var!(index), "the secret text"))},
    {[:ambix, :index, :search], nil, :ok, quote(do: Index.context(var!(index), "the secret text"))},
    {[:ambix, :index, :lookup], nil, :ok, quote(do: Index.lookup(var!(index), "secret"))},
    {[:ambix, :index, :grep], nil, :ok, quote(do: Index.grep(var!(index), "the secret text"))},
    {[:ambix, :packages, :open], nil, :ok, quote(do: Packages.open(var!(dir), elixir: false))},
    {[:ambix, :packages, :search], nil, :ok,
     quote(do: Packages.search(var!(packages), "the secret text", index: var!(index)))},
    {[:ambix, :graph, :query], nil, :ok, quote(do: Graph.definition(var!(index), "Cart"))},
    {[:ambix, :graph, :query], nil, :not_found, quote(do: Graph.callers(var!(index), "secret"))},
    {[:ambix, :model, :load], nil, :not_found, quote(do: Model.load(Path.join(var!(dir), "none.gguf")))},
    {[:ambix, :model, :load], nil, :not_found, quote(do: Model.load_encoder(Path.join(var!(dir), "none")))},
    {[:ambix, :model, :generate], Needs.model("SmolLM2-135M-Instruct"), :ok,
     quote(do: Model.generate(model(), "the secret text", max_tokens: 2))},
    {[:ambix, :model, :generate], Needs.model("SmolLM2-135M-Instruct"), :ok,
     quote(do: Model.score(model(), "the secret text", ["a"]))},
    {[:ambix, :model, :embed], Needs.model("all-MiniLM-L6-v2"), :ok,
     quote(do: Model.embed(encoder(), ["the secret text"]))},
    {[:ambix, :index, :embed], Needs.model("all-MiniLM-L6-v2"), :ok,
     quote(do: Index.embed(var!(index), encoder()))},
    {[:ambix, :sandbox, :run], Needs.sandbox(), :ok, quote(do: Sandbox.run(["echo", "the secret text"]))},
    {[:ambix, :sandbox, :verdict], Needs.sandbox(), :ok, quote(do: verdict())},
    {[:ambix, :fix, :run], nil, :project, quote(do: Ambix.Fix.run(var!(dir)))},
    {[:ambix, :agent, :step], nil, :ok, quote(do: step(:done))},
    {[:ambix, :agent, :step], nil, :project, quote(do: step(:error))}
  ]

  describe "with the library" do
    @describetag :tmp_dir

    setup do: FakeTelemetry.install()

    setup %{tmp_dir: dir} do
      File.write!(
        Path.join(dir, "cart.ex"),
        "defmodule Cart do\n  # the secret text\n  def total(x), do: x\nend\n"
      )

      {:ok, index} = Index.build(dir)
      packages = %Packages{entries: []}
      flush()
      %{index: index, packages: packages}
    end

    test "each listed span has an operation here" do
      assert Enum.uniq(for({span, _, _, _} <- @operations, do: span)) |> Enum.sort() ==
               Enum.sort(Telemetry.spans())
    end

    for {{span, missing, outcome, operation}, nth} <- Enum.with_index(@operations) do
      @tag skip: missing
      test "#{inspect(span)} is emitted by #{nth}: #{Macro.to_string(operation)}", %{
        tmp_dir: dir,
        index: index,
        packages: packages
      } do
        _ = {dir, index, packages}
        result = unquote(operation)
        start = unquote(span) ++ [:start]
        stop = unquote(span) ++ [:stop]
        assert_receive {:event, ^start, %{system_time: _, monotonic_time: _}, before}
        assert_receive {:event, ^stop, %{duration: _}, metadata}
        assert before.telemetry_span_context == metadata.telemetry_span_context
        refute inspect({before, metadata}) =~ "secret"

        case unquote(outcome) do
          :ok -> assert metadata.outcome == :ok
          kind -> assert %{outcome: :error, error_kind: ^kind} = metadata
        end

        # What is told is what the caller gets.
        assert {metadata.outcome, metadata[:error_kind]} == outcome(result)
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

    test "a raise is told and goes on" do
      assert_raise RuntimeError, "no", fn ->
        Telemetry.span([:ambix, :fix, :run], %{}, fn -> raise "no" end)
      end

      assert_received {:event, [:ambix, :fix, :run, :exception], %{duration: _}, %{kind: :error}}
    end
  end

  defp saved(index, dir) do
    path = Path.join(dir, "to open")
    :ok = Index.save(index, path)
    flush()
    path
  end

  defp flush do
    receive do
      {:event, _, _, _} -> flush()
    after
      0 -> :ok
    end
  end

  defp model do
    {:ok, path} = Models.path("SmolLM2-135M-Instruct")
    {:ok, model} = Model.load(path)
    model
  end

  defp encoder do
    {:ok, folder} = Models.path("all-MiniLM-L6-v2")
    {:ok, encoder} = Model.load_encoder(folder)
    encoder
  end

  defp outcome(:ok), do: {:ok, nil}
  defp outcome({:ok, _}), do: {:ok, nil}
  defp outcome({:error, %Error{kind: kind}}), do: {:error, kind}

  defp step(outcome) do
    {:ok, agent} = Ambix.Agent.start_link(Steps, outcome)
    Ambix.Agent.await(agent)
  end

  # A change that does not compile, so no test has to run.
  defp verdict do
    {:ok, server} = Sandbox.Project.start_link(root: Sandbox.Fixture.create())

    {:ok, %{status: :compile_error}} =
      Sandbox.Project.verdict(server, %{"lib/cart.ex" => "the secret text ("})
  end
end
