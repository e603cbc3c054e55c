defmodule Mix.Tasks.Ambix.Eval do
  @shortdoc "Measures how many programming problems are solved"

  alias Ambix.CLI
  alias Ambix.CLI.{Args, Files, Progress, Table}
  alias Ambix.Eval.Programs
  alias Ambix.Workspace

  @options Args.common([:model, :json, :quiet]) ++
             Ambix.Options.take(Ambix.Options.of(Ambix.Model, :generate), [:seed]) ++
             [
               technique: [
                 type: {:in, Programs.techniques()},
                 default: :greedy,
                 arg: "NAME",
                 doc: "how an answer is found; `greedy` is the model's likeliest completion"
               ],
               out: [
                 type: :string,
                 required: true,
                 arg: "OUT.jsonl",
                 doc:
                   "where the results go. Until the last is known they are in `OUT.jsonl.part`, a line as soon as each is"
               ],
               limit: [type: :pos_integer, arg: "N", doc: "only the first N problems"]
             ]

  @moduledoc """
  Lets a model answer programming problems and runs the hidden tests of each once, in the sandbox, after its answer.

      mix ambix.eval programs IN.jsonl --technique greedy --seed 0 --out OUT.jsonl [--limit N]

  A problem is a line with `name`, `prompt`, `tests` and `stop_tokens` (the form of MultiPL-E). A result is a line with `name`, `passed`,
  `answer`, `tokens`, `executions` and `seconds`.

  ## Options
  #{Args.docs(@options)}
  """

  use Mix.Task

  @impl Mix.Task
  def run(argv), do: CLI.main(argv, __MODULE__, @options, &evaluate/2)

  defp evaluate(["programs", file], opts) do
    with {:ok, problems} <- Files.read_lines(file, ~w(name prompt tests)),
         :ok <- Ambix.Sandbox.check(),
         {:ok, model} <- Workspace.model(opts) do
      problems = if opts[:limit], do: Enum.take(problems, opts[:limit]), else: problems

      with {:ok, results} <- solve(problems, Programs.generator(model), opts), do: report(results, opts)
    end
  end

  defp evaluate(["programs"], _opts), do: CLI.usage("mix ambix.eval programs expects a file of problems")
  defp evaluate(_args, _opts), do: CLI.usage("mix ambix.eval expects programs and a file of problems")

  defp solve(problems, model, opts) do
    total = length(problems)

    Files.stream_lines(opts[:out], fn append ->
      Progress.run([quiet: opts[:quiet]], fn progress ->
        problems
        |> Enum.with_index(1)
        |> Enum.reduce_while({:ok, []}, fn {problem, n}, {:ok, results} ->
          with {:ok, result} <- Programs.solve(problem, opts[:technique], model, opts[:seed]),
               :ok <- append.(result) do
            progress.(%{phase: :solving, done: n, total: total})
            {:cont, {:ok, [result | results]}}
          else
            {:error, error} -> {:halt, {:error, error}}
          end
        end)
      end)
    end)
  end

  defp report(results, opts) do
    problems = length(results)
    passed = Enum.count(results, & &1.passed)
    sum = fn key -> results |> Enum.map(& &1[key]) |> Enum.sum() end

    summary = %{
      technique: opts[:technique],
      seed: opts[:seed],
      problems: problems,
      passed: passed,
      pass_at_1: if(problems > 0, do: passed / problems),
      tokens: sum.(:tokens),
      executions: sum.(:executions),
      seconds: sum.(:seconds)
    }

    if opts[:json] do
      CLI.say_json(summary)
    else
      Enum.each(
        Table.pairs([
          {"passed", "#{passed} of #{problems}"},
          {"pass@1", summary.pass_at_1},
          {"tokens", summary.tokens},
          {"executions", summary.executions},
          {"time", Table.seconds(summary.seconds)}
        ]),
        &CLI.say/1
      )
    end
  end
end
