defmodule Ambix.Tool.Check do
  @moduledoc """
  The tool that compiles a project in the sandbox, as it is or with edits that are not on the disk, and says what the compiler warns of.

  Test files are compiled too where the edits are of them. `traces` of a diagnostic are the places where the compiler found the
  types that it is about, from Elixir 1.18. In an umbrella each app is compiled, or those that the edits concern; what needs an
  app that does not compile is `skipped`.
  """

  @behaviour Ambix.Tool

  alias Ambix.Error
  alias Ambix.Sandbox.Project
  alias Ambix.Tool
  alias Ambix.Tool.{Answer, Call, Change, Fit, Projects}

  @input [change: Change.option()]

  @output %{
    "type" => "object",
    "properties" => %{
      "status" => %{"enum" => ["ok", "warnings", "errors"]},
      "diagnostics" => %{"type" => "array"}
    }
  }

  # A fresh VM compiles all of a project.
  @most_ms 600_000
  @message_bytes 600
  @code_bytes 160
  @most_traces 3

  @impl true
  def tool do
    %Tool{
      name: "check",
      title: "Compile",
      description:
        "Use instead of `mix compile`, before or after an edit is saved: errors, warnings and type errors with place and code. Writes nothing.",
      input: @input,
      output: @output,
      effect: :run
    }
  end

  @impl true
  def run(args, %Call{host: %{root: root} = host} = call) do
    with {:ok, texts} <- Change.texts(root, args[:change]),
         paths = Map.keys(texts),
         apps = Projects.apps(root),
         apps = if(paths == [], do: apps, else: Projects.touched(root, apps, paths)),
         {:ok, found, skipped} <- compile(host, apps, texts, call),
         do: {:ok, answer(host, found, skipped, texts, call.budget)}
  end

  defp compile(host, apps, texts, call) do
    deadline = now() + @most_ms

    apps
    |> Enum.with_index()
    |> Enum.reduce_while({:ok, [], []}, fn {app, nth}, {:ok, found, failed} ->
      if call.progress, do: call.progress.(%{phase: :compiling, done: nth, total: length(apps)})

      if needs?(host.root, app, failed) do
        {:cont, {:ok, found, failed ++ [{app, :skipped}]}}
      else
        case Projects.with_sandbox(host, app, texts, &diagnostics(&1, app, texts, deadline)) do
          {:ok, more} ->
            {:cont, {:ok, found ++ more, failed ++ if(errors(more) > 0, do: [{app, :failed}], else: [])}}

          {:error, error} ->
            {:halt, {:error, named(error, app)}}
        end
      end
    end)
    |> case do
      {:ok, found, failed} -> {:ok, found, for({app, :skipped} <- failed, do: app)}
      error -> error
    end
  end

  defp needs?(_root, ".", _failed), do: false

  defp needs?(root, app, failed) do
    needed = Ambix.Umbrella.needs(root, app)
    Enum.any?(failed, fn {other, _} -> Path.basename(other) in needed end)
  end

  defp named(error, "."), do: error
  defp named(error, app), do: %{error | message: "#{app}: #{error.message}"}

  defp diagnostics(server, app, texts, deadline) do
    with {:ok, %{warnings: warnings}} <- Project.compile(server, timeout_ms: left(deadline)),
         warnings = all(warnings, "warning", app),
         {:ok, errors} <- of_tests(server, app, texts, deadline) do
      {:ok, warnings ++ errors}
    else
      {:error, %Error{details: %{diagnostics: [_ | _] = errors}}} -> {:ok, all(errors, "error", app)}
      error -> error
    end
  end

  # To load them may start the application, which may need what a sandbox lacks: only what the compiler says counts.
  defp of_tests(server, app, texts, deadline) do
    if Enum.any?(texts, fn {path, _} -> Path.extname(path) == ".exs" and Projects.holds?(app, path) end) do
      case Project.tests(server, timeout_ms: left(deadline)) do
        {:error, %Error{details: %{diagnostics: errors}}} -> {:ok, all(errors, "error", app)}
        _ -> {:ok, []}
      end
    else
      {:ok, []}
    end
  end

  defp all(diagnostics, severity, app), do: Enum.map(diagnostics, &diagnostic(&1, severity, app))

  defp diagnostic(diagnostic, severity, app) do
    traces =
      for trace <- Enum.take(diagnostic.traces, @most_traces) do
        message = trace.message |> Fit.line() |> Fit.cut(@code_bytes)
        %{file: Projects.place(app, trace.file), line: trace.line, message: message}
      end

    %{
      file: Projects.place(app, diagnostic.file),
      line: diagnostic.line,
      column: diagnostic.column,
      severity: severity,
      message: diagnostic.message |> plain() |> Fit.line() |> Fit.cut(@message_bytes),
      traces: traces
    }
  end

  # An exception says its place once more, as does the snippet that newer compilers draw.
  defp plain(message) do
    message
    |> String.replace(~r/\A\*\* \(\w+\) (?:\S+:\d+:(?:\d+:)? )?/, "")
    |> String.split(~r/\n\s*(?:│|└─)/u, parts: 2)
    |> hd()
  end

  defp answer(%{root: root} = host, found, skipped, texts, budget) do
    found =
      found
      |> Enum.uniq()
      |> Enum.sort_by(&{&1.severity, not is_map_key(texts, &1.file), &1.file, &1.line, &1.column})
      |> Enum.map(&Map.put(&1, :code, code(root, &1, texts)))

    {errors, warnings} = {errors(found), length(found) - errors(found)}
    remark = Projects.remark(host)
    head = Fit.lines([title(errors, warnings) <> skipped(skipped), remark])

    data = %{
      status: status(errors, warnings),
      errors: errors,
      warnings: warnings,
      skipped: skipped,
      remark: remark,
      diagnostics: []
    }

    {text, count} = Fit.blocks(head, Enum.map(found, &{block(&1), &1}), budget, data)

    %Answer{
      data: %{data | diagnostics: Enum.take(found, count)},
      text: text,
      truncated: count < length(found),
      next: if(count < length(found), do: "mend these first: #{length(found) - count} more are left out")
    }
  end

  defp errors(found), do: Enum.count(found, &(&1.severity == "error"))

  defp status(0, 0), do: "ok"
  defp status(0, _), do: "warnings"
  defp status(_, _), do: "errors"

  defp title(0, 0), do: "compiles without warnings"
  defp title(errors, warnings), do: "#{errors} errors, #{warnings} warnings"

  defp skipped([]), do: ""
  defp skipped(apps), do: "; not compiled, for they need what does not compile: #{Enum.join(apps, ", ")}"

  @doc false
  # A diagnostic as text.
  @spec block(map) :: String.t()
  def block(one) do
    place = Enum.join([one.file, one.line | if(one.column > 0, do: [one.column], else: [])], ":")
    code = if one.code, do: ["\n  ", one.code], else: []
    traces = for trace <- one.traces, do: "\n  #{trace.file}:#{trace.line}: #{trace.message}"
    IO.iodata_to_binary([one.severity, " ", place, " ", one.message, code, traces])
  end

  # The compiler may name files that are none of the project's.
  defp code(root, %{file: file, line: line}, texts) when line > 0 do
    text = with nil <- texts[file], {:ok, text} <- Change.original(root, file), do: text

    with true <- is_binary(text),
         [code] <- text |> String.split("\n") |> Enum.slice(line - 1, 1),
         code = Fit.line(code),
         true <- code != "",
         do: Fit.cut(code, @code_bytes),
         else: (_ -> nil)
  end

  defp code(_root, _diagnostic, _texts), do: nil

  defp left(deadline), do: max(deadline - now(), 1)
  defp now, do: System.monotonic_time(:millisecond)
end
