defmodule Ambix.Fix.Umbrella do
  @moduledoc false
  # Mends the apps of an umbrella one after the other, in an order in which each comes after those that it depends on. The
  # later ones see the patches of the earlier ones, and tell whether these break anything.

  alias Ambix.{Error, Umbrella}
  alias Ambix.Fix.{Judgement, Workers}
  alias Ambix.Sandbox.Project

  @doc "As `Ambix.Fix.run/2`; `fix` does it for one app."
  def run(root, apps, opts, emit, fix) do
    deadline = now() + round(opts[:budget] * 1000)

    with {:ok, apps, opts} <- chosen(root, Umbrella.in_order(root, apps), opts) do
      apps
      |> Enum.with_index()
      |> Enum.reduce_while({:ok, []}, fn {app, nth}, {:ok, done} ->
        # What earlier apps did not use of the time is there for the later ones.
        share = max(deadline - now(), 0) / (length(apps) - nth) / 1000
        opts = Keyword.merge(opts, budget: share, overlay: overlay(done))

        case fix.(Path.join(root, app), opts, &emit.(placed(&1, app))) do
          {:ok, result} -> {:cont, {:ok, [{app, result} | done]}}
          {:error, %Error{kind: :project, message: "the project has no tests" <> _}} -> {:cont, {:ok, done}}
          {:error, error} -> {:halt, {:error, %{error | message: "#{app}: #{error.message}"}}}
        end
      end)
      |> case do
        {:ok, results} -> {:ok, results |> checked(root, opts, deadline) |> Enum.reverse() |> together()}
        {:error, error} -> {:error, error}
      end
    end
  end

  # A target names the app that it lies in.
  defp chosen(_root, [], _opts), do: {:error, Error.new(:project, "the umbrella has no apps")}

  defp chosen(root, apps, opts) do
    path = opts[:target] && Path.relative_to(Path.expand(opts[:target], root), root)

    case Enum.find(apps, &(path != nil and String.starts_with?(path, &1 <> "/"))) do
      nil when path == nil -> {:ok, apps, opts}
      nil -> {:error, Error.new(:not_found, "#{opts[:target]} lies in no app of the umbrella")}
      app -> {:ok, [app], Keyword.put(opts, :target, String.replace_prefix(path, app <> "/", ""))}
    end
  end

  defp overlay(done) do
    for {app, %{patches: patches}} <- done,
        patch <- patches,
        into: %{},
        do: {Path.join(app, patch.file), patch.text}
  end

  # A patch of an app is dropped if apps that depend on it pass without it tests that they fail with it. Those without failing
  # tests have passed with it.
  defp checked(results, root, opts, deadline) do
    Enum.map(results, fn
      {app, %{status: :mended} = result} ->
        {app, keep(result, app, dependent(app, results, root), root, opts, deadline)}

      other ->
        other
    end)
  end

  defp dependent(app, results, root) do
    for {other, %{failing: [_ | _]} = result} <- results,
        Path.basename(app) in Umbrella.needs(root, other),
        do: {other, result}
  end

  defp keep(result, _app, [], _root, _opts, _deadline), do: result

  defp keep(result, app, dependent, root, opts, deadline) do
    case Enum.find(dependent, fn {other, found} -> not harmless?(root, other, found, opts, deadline) end) do
      nil ->
        result

      {other, _} ->
        reason = "the patch for #{app} fails tests of #{other}, or there was no time to see that it does not"
        %{result | status: :none, patches: [], reason: reason}
    end
  end

  # Whether tests that fail with the patches fail without them.
  defp harmless?(root, app, found, opts, deadline) do
    start = [root: Path.join(root, app)] ++ Keyword.delete(Workers.options(opts), :overlay)

    with {:ok, server} <- Project.start_link(start) do
      left = max(deadline - now(), 1)
      suite = Project.run_tests(server, timeout_ms: left, timeout_per_test: min(left, 60_000))
      Project.stop(server)

      with {:ok, %{tests: tests}} <- suite do
        failed = for test <- tests, Judgement.failed?(test), into: MapSet.new(), do: test.id
        Enum.all?(found.failing, &(&1.id in failed))
      end
    end == true
  end

  defp together(results) do
    statuses = Enum.map(results, fn {_, result} -> result.status end)

    status =
      cond do
        Enum.all?(statuses, &(&1 == :nothing_failing)) -> :nothing_failing
        :none in statuses -> :none
        true -> :mended
      end

    %{
      status: status,
      patches: gather(results, :patches),
      localised: gather(results, :localised),
      failing: gather(results, :failing),
      executions: sum(results, :executions),
      candidates: sum(results, :candidates),
      seconds: sum(results, :seconds),
      tried:
        Enum.reduce(results, %{}, fn {_, one}, all -> Map.merge(all, one.tried, fn _, a, b -> a + b end) end),
      reason: Enum.map_join(results, "; ", fn {app, one} -> "#{app}: #{one.reason}" end),
      trace: text(results, :trace, fn app -> "#{app}\n" end),
      mermaid: text(results, :mermaid, fn app -> "%% #{app}\n" end)
    }
  end

  defp gather(results, key) do
    for {app, result} <- results, one <- result[key], do: place(one, app)
  end

  defp sum(results, key), do: results |> Enum.map(fn {_, result} -> result[key] end) |> Enum.sum()

  defp text(results, key, title) do
    for {app, result} <- results, result[key] != "", into: "", do: title.(app) <> result[key]
  end

  # Events of an app, with the paths of the umbrella.
  defp placed({kind, list}, app) when kind in [:failing, :localised, :mended],
    do: {kind, Enum.map(list, &place(&1, app))}

  defp placed({:candidate, candidate}, app), do: {:candidate, place(candidate, app)}
  defp placed(other, _app), do: other

  defp place(%{file: file, diff: diff} = patch, app) do
    old = "--- a/#{file}\n+++ b/#{file}\n"
    new = "--- a/#{Path.join(app, file)}\n+++ b/#{Path.join(app, file)}\n"
    %{patch | file: Path.join(app, file), diff: String.replace_prefix(diff, old, new)}
  end

  defp place(%{file: file} = one, app), do: %{one | file: Path.join(app, file)}

  defp now, do: System.monotonic_time(:millisecond)
end
