defmodule Ambix.Tool.Fix do
  @moduledoc """
  The tool that looks for a patch with which failing tests pass: `Ambix.Fix`. It writes to the project only when it is told to apply.
  """

  @behaviour Ambix.Tool

  alias Ambix.{Fix, Options, Tool}
  alias Ambix.Tool.{Answer, Call, Fit, Projects}

  # Which limits a caller may set is the host's to say: a caller that asks for a day gets no day.
  @input Options.take(Options.of(Fix, :run),
           target: [default: nil, doc: "test or source FILE[:LINE]"],
           budget: [type: {:integer, 1..1800}, doc: "seconds"]
         ) ++ [apply: [type: :boolean, default: false, doc: "write the patch"]]

  # Those that only a program sets: who runs it decides how long it may take, and what it may use.
  @further Keyword.delete(Options.of(Fix, :run), :allow_paths)

  @output %{
    "type" => "object",
    "properties" => %{
      "status" => %{"enum" => ["mended", "none", "nothing_failing"]},
      "applied" => %{"type" => "boolean"},
      "diff" => %{"type" => "string"}
    }
  }

  # Suspected places and kinds of changes that are told.
  @places 5
  @kinds 8
  @reason_bytes 400

  @impl true
  def tool do
    %Tool{
      name: "fix",
      title: "Mend tests",
      description:
        "Use when tests fail for a small fault: searches for minutes in a sandbox for a patch with which they pass and no other test fails. " <>
          "Read it before you keep it.",
      input: @input,
      further: @further,
      output: @output,
      # With `apply`; a client asks a person before it calls what may write.
      effect: :write,
      long: true
    }
  end

  @impl true
  def run(args, %Call{} = call) do
    with {:ok, result} <- find([on_event: told(call.progress)] ++ args, call),
         do: {:ok, answer(result, call.budget)}
  end

  # The result of `Ambix.Fix.run/2`, and whether its patches were `applied`.
  @impl true
  def find(options, %Call{host: %{root: root} = host}) do
    {apply?, options} = Keyword.pop!(options, :apply)

    with {:ok, result} <- Fix.run(root, options ++ [allow_paths: Projects.allowed(host)]),
         :ok <- if(apply?, do: Fix.apply_patches(root, result), else: :ok),
         do: {:ok, Map.put(result, :applied, apply? and result.patches != [])}
  end

  # Events come one after the other, from the process that does the work.
  defp told(nil), do: nil

  defp told(progress) do
    tried = :counters.new(1, [])

    fn
      {:failing, tests} ->
        progress.(%{phase: :failing, done: length(tests), total: nil})

      {:candidate, _} ->
        :counters.add(tried, 1, 1)
        progress.(%{phase: :trying, done: :counters.get(tried, 1), total: nil})

      _other ->
        :ok
    end
  end

  defp answer(result, budget) do
    diff = Enum.map_join(result.patches, & &1.diff)
    kinds = result.tried |> Enum.sort_by(&{-elem(&1, 1), elem(&1, 0)}) |> Enum.take(@kinds)
    suspected = for place <- Enum.take(result.localised, @places), do: Map.take(place, [:file, :line])

    data = %{
      status: result.status,
      applied: result.applied,
      diff: diff,
      reason: result.reason |> Fit.line() |> Fit.cut(@reason_bytes),
      files: Enum.map(result.patches, & &1.file),
      failing: length(result.failing),
      suspected: suspected,
      tried: Map.new(kinds),
      runs: result.executions,
      seconds: Float.round(result.seconds / 1, 1)
    }

    # A part of a diff is none, so it is told whole or not at all.
    details = if diff == "", do: details(data, kinds), else: String.trim_trailing(diff, "\n")
    {text, count} = Fit.blocks(title(data), if(details == "", do: [], else: [details]), budget)
    whole? = details == "" or count == 1

    %Answer{
      data: data,
      text: text,
      truncated: not whole?,
      next: if(not whole?, do: "the text has no room for all: call it with a larger budget, or with apply")
    }
  end

  defp title(%{status: :nothing_failing}), do: "every test passes: there is nothing to mend"

  defp title(data) do
    verdict = if data.status == :mended, do: "mended", else: "not mended: #{data.reason}"

    wrote =
      cond do
        data.applied -> "written to #{Enum.join(data.files, ", ")}"
        data.diff != "" -> "nothing written"
        true -> nil
      end

    [verdict, "#{data.failing} failing tests, #{data.runs} runs in #{data.seconds} s", wrote]
    |> Enum.reject(&is_nil/1)
    |> Enum.join("; ")
  end

  defp details(data, kinds) do
    tried = Enum.map_join(kinds, ", ", fn {kind, count} -> "#{count} #{kind}" end)
    places = Enum.map_join(data.suspected, ", ", &"#{&1.file}:#{&1.line}")

    [if(tried != "", do: "tried: " <> tried), if(places != "", do: "suspected: " <> places)]
    |> Enum.reject(&is_nil/1)
    |> Enum.join("\n")
  end
end
