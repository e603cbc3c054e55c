defmodule Mix.Tasks.Ambix.Fix do
  @shortdoc "Looks for a patch that makes failing tests pass"

  alias Ambix.{CLI, Fix, Tool, Workspace}
  alias Ambix.CLI.{Args, FixReport, Style, Table}

  @fixing Ambix.Options.take(
            Ambix.Options.of(Fix, :run),
            [:budget, :depth, :workers, :policy, :seed, :allow_paths, :unsafe_without_isolation]
          )

  @options Args.common([:root, :json, :quiet]) ++
             @fixing ++
             Args.common(
               model: [
                 doc:
                   "a GGUF file, or the name of a model that `mix ambix.models list` names: it proposes changes too, and helps to order them"
               ]
             ) ++
             [
               apply: [
                 type: :boolean,
                 default: false,
                 doc: "write the patch to the project. Else nothing is touched"
               ],
               trace: [
                 type: :boolean,
                 default: false,
                 doc: "print the whole tree of what was tried at the end"
               ]
             ]

  @moduledoc """
  Runs the tests of a mix project in a sandbox, looks for the smallest change that makes the failing ones pass and no passing one fail, and
  prints it as a diff.

      mix ambix.fix [FILE[:LINE]] [--root DIR] [--apply]

  `FILE` is a test file, to mend only its tests, or a source file, to change nothing else; `LINE` narrows it to a test or a line. Dependencies
  must have been fetched. `DIR` may be an app of an umbrella, or an umbrella. A patch passes the tests, which does not make it right: read it.
  With `--quiet` the patch is all that is printed, and `git apply` takes it.

  The exit code is 0 when a patch was found or no test failed, 2 when none was found, 1 on an error. With `--json` one line is printed:
  `{"status": "mended" | "none" | "nothing_failing", "patches": [{"file", "diff"}], "localised": [{"file", "line", "score"}], "executions",
  "seconds"}` and what else is known.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &fix/2)

  defp fix([], opts), do: fix(nil, opts)
  defp fix([target], opts), do: fix(target, opts)
  defp fix([_ | _], _opts), do: CLI.usage("mix ambix.fix expects at most one FILE or FILE:LINE")

  defp fix(target, opts) do
    watch = if opts[:json] or opts[:quiet], do: & &1.(fn _ -> :ok end), else: &FixReport.watch/1

    with {:ok, model} <- Workspace.named_model(opts),
         {:ok, result} <- watch.(&mended(target, opts, model, &1)) do
      report(result, opts)
      if result.status == :none, do: {:exit, 2}, else: :ok
    end
  end

  defp mended(target, opts, model, show) do
    {allowed, given} = opts |> Keyword.take([:apply | Keyword.keys(@fixing)]) |> Keyword.pop!(:allow_paths)
    host = %{root: opts[:root], allow_paths: allowed}
    Tool.find(Tool.Fix, [target: target, model: model, on_event: show] ++ given, %Tool.Call{host: host})
  end

  defp report(result, opts) do
    cond do
      opts[:json] -> CLI.say_json(json(result, opts))
      opts[:quiet] -> for(patch <- result.patches, do: IO.write(quietly(patch.diff)))
      result.status == :nothing_failing -> CLI.say("Every test passes: there is nothing to mend.")
      true -> summary(result, opts)
    end
  end

  # As it is for a program, and harmless for a person.
  defp quietly(diff), do: if(Style.terminal?(:stdio), do: CLI.harmless(diff), else: diff)

  defp summary(result, opts) do
    if opts[:trace], do: CLI.say(["\n", result.trace])

    cond do
      result.status == :none and result.patches == [] ->
        CLI.say(["\n", Style.paint("tried", :bright), ", by kind of change:"])

        rows =
          for {kind, count} <- Enum.sort_by(result.tried, &{-elem(&1, 1), elem(&1, 0)}), do: [kind, count]

        CLI.say([{"change", :left}, {"tried", :right}] |> Table.render(rows) |> Enum.map(&["  ", &1, "\n"]))

      result.applied ->
        CLI.say("Written to the project.")

      true ->
        CLI.say("Nothing was written; --apply writes it.")
    end
  end

  defp json(result, opts) do
    result
    |> Map.take([:status, :executions, :seconds, :candidates, :reason, :tried, :applied])
    |> Map.merge(%{
      patches: Enum.map(result.patches, &Map.take(&1, [:file, :diff])),
      localised: Enum.map(result.localised, &Map.take(&1, [:file, :line, :score])),
      failing: Enum.map(result.failing, & &1.id)
    })
    |> then(&if(opts[:trace], do: Map.put(&1, :trace, result.trace), else: &1))
  end
end
