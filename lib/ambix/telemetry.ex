defmodule Ambix.Telemetry do
  # The span, when it happens, and the keys that are taken from the value of an operation that succeeded.
  @spans [
    {[:ambix, :index, :build], "a folder is read and indexed", []},
    {[:ambix, :index, :update], "an index is brought up to date", [:added, :changed, :removed, :unchanged]},
    {[:ambix, :index, :observe], "what the compiler left behind is taken in",
     [:modules, :files, :stale, :foreign]},
    {[:ambix, :index, :open], "a saved index is read", []},
    {[:ambix, :index, :save], "an index is written", []},
    {[:ambix, :index, :status], "it is looked whether an index is up to date", [:state, :watching]},
    {[:ambix, :index, :embed], "chunks that had no vector get one", []},
    {[:ambix, :index, :search], "a query is answered, or sections of a prompt are packed",
     [:made_from, :tokens]},
    {[:ambix, :index, :lookup], "a name is looked up", []},
    {[:ambix, :index, :grep], "texts are searched for a pattern", [:truncated, :searched]},
    {[:ambix, :packages, :open], "the indexes of packages are opened or made", []},
    {[:ambix, :packages, :search], "a query is answered from packages", [:made_from]},
    {[:ambix, :graph, :query], "the graph of the code is asked", []},
    {[:ambix, :model, :load], "a model or an encoder is loaded", []},
    {[:ambix, :model, :generate], "a model writes an answer, or scores answers",
     [:tokens, :prompt_tokens, :finish_reason, :prefill_seconds, :generate_seconds]},
    {[:ambix, :model, :embed], "an encoder makes vectors of texts", []},
    {[:ambix, :sandbox, :run], "code runs in a sandbox", [:status]},
    {[:ambix, :sandbox, :verdict], "tests run in a sandbox", [:status]},
    {[:ambix, :fix, :run], "failing tests are worked on", [:status, :executions, :seconds]},
    {[:ambix, :agent, :step], "an agent takes a step", []}
  ]

  @moduledoc """
  The events that Ambix emits through [`:telemetry`](https://hexdocs.pm/telemetry), if the host has it; otherwise nothing is emitted.

  Each operation is a span, by the convention of `:telemetry.span/3`. With its name as the prefix it emits

    * `prefix ++ [:start]` with the measurements `:system_time` and `:monotonic_time`, in native units
    * `prefix ++ [:stop]` with `:duration` and `:monotonic_time`, in native units
    * `prefix ++ [:exception]` with `:duration` and `:monotonic_time`, and `:kind`, `:reason` and `:stacktrace` as metadata, when the operation raises

  The metadata of all three hold `:telemetry_span_context`, which joins the events of one span. Those of `:stop` also hold `:outcome`, which is
  `:ok`, or `:error` together with `:error_kind`, the kind of the `Ambix.Error`; and after `:ok` those of the keys named here that the
  operation's value has. Prompts, answers and source text are never part of the metadata.

  | span | when | metadata of `:stop` |
  | --- | --- | --- |
  #{Enum.map_join(@spans, "\n", fn {event, happens, keys} -> "| `#{inspect(event)}` | #{happens} | #{Enum.map_join(keys, ", ", &"`#{inspect(&1)}`")} |" end)}

      :telemetry.attach_many("log", Ambix.Telemetry.events(), &MyApp.Log.handle/4, nil)
  """

  @keys Map.new(@spans, fn {event, _, keys} -> {event, keys} end)

  @doc "Every event, three for each span."
  @spec events() :: [[atom]]
  def events do
    for span <- spans(), suffix <- [:start, :stop, :exception], do: span ++ [suffix]
  end

  @doc "The names of the spans."
  @spec spans() :: [[atom]]
  def spans, do: Enum.map(@spans, &elem(&1, 0))

  @doc """
  Runs `fun` within the span of that name and returns its result.

  `metadata` are those of the start event; the stop event has them too, with what the result tells. A name that is not among `spans/0`
  raises, so that the list stays whole.
  """
  @spec span([atom], map, (... -> result)) :: result when result: term
  def span(event, metadata, fun) when is_map(metadata) and is_function(fun, 0) do
    keys = Map.fetch!(@keys, event)

    if Ambix.Optional.available?(:telemetry) do
      :telemetry.span(event, metadata, fn ->
        result = fun.()
        {result, Map.merge(metadata, outcome(result, keys))}
      end)
    else
      fun.()
    end
  end

  defp outcome({:ok, value}, keys) when is_map(value) do
    # Of paths only their number is told.
    plain = fn {key, value} -> {key, if(is_list(value), do: length(value), else: value)} end
    value |> Map.take(keys) |> Map.new(plain) |> Map.put(:outcome, :ok)
  end

  defp outcome({:error, %{kind: kind}}, _keys), do: %{outcome: :error, error_kind: kind}
  defp outcome({:error, _reason}, _keys), do: %{outcome: :error}
  # A step that failed comes with what the agent was.
  defp outcome({:error, error, _state}, keys), do: outcome({:error, error}, keys)
  defp outcome(_value, _keys), do: %{outcome: :ok}
end
