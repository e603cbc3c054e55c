defmodule Aludel.CLI.Trace do
  @moduledoc false
  # Call edges as the compiler sees them. A copy of the project is compiled in another VM with `Aludel.CLI.Trace.Tracer`; the project's own folder
  # is only read.

  alias Aludel.CLI.{Files, Progress}
  alias Aludel.Error

  # What a copy leaves out: what is made by compiling, and what is large and not code.
  @left_out ~w(_build cover .git .elixir_ls node_modules)

  @doc "The calls from function to function of a mix project that compiles, sorted."
  @spec edges(Path.t(), keyword) :: {:ok, [tuple]} | {:error, Error.t()}
  def edges(root, opts) do
    root = Path.expand(root)
    work = Path.join(System.tmp_dir!(), "aludel-trace-#{System.pid()}-#{System.unique_integer([:positive])}")

    if File.regular?(Path.join(root, "mix.exs")) do
      try do
        Progress.run([quiet: opts[:quiet]], fn progress ->
          progress.(%{phase: :compiling, done: 0, total: nil})
          compile(root, work)
        end)
      after
        File.rm_rf(work)
      end
    else
      {:error, Error.new(:project, "--trace needs a mix project, and there is no mix.exs in #{root}")}
    end
  end

  defp compile(root, work) do
    copy = Path.join(work, "project")
    out = Path.join(work, "edges.jsonl")
    copy(root, copy)

    {output, code} =
      System.cmd(
        System.find_executable("elixir"),
        ["-pa", ebin(), "-e", "Aludel.CLI.Trace.Tracer.main()", out],
        cd: copy,
        stderr_to_stdout: true,
        env: [{"MIX_ENV", "dev"}, {"MIX_BUILD_PATH", Path.join(work, "build")}, {"ALUDEL_SKIP_NIF", "1"}]
      )

    if code == 0 and File.regular?(out) do
      with {:ok, rows} <- Files.read_lines(out, ["caller_module"]), do: {:ok, Enum.map(rows, &edge/1)}
    else
      {:error,
       Error.new(:project, "#{root} does not compile, so --trace cannot be used: #{complaint(output)}")}
    end
  end

  # Files by their content, links followed: what is compiled must not reach back into the project's folder.
  defp copy(from, to) do
    File.mkdir_p!(to)

    for name <- File.ls!(from), name not in @left_out do
      source = Path.join(from, name)
      target = Path.join(to, name)

      case File.stat(source) do
        {:ok, %{type: :directory}} -> unless looping?(source), do: copy(source, target)
        {:ok, %{type: :regular}} -> File.cp!(source, target)
        _ -> :ok
      end
    end
  end

  defp looping?(folder) do
    case File.read_link(folder) do
      {:ok, link} -> String.starts_with?(Path.expand(folder), Path.expand(link, Path.dirname(folder)) <> "/")
      _ -> false
    end
  end

  defp ebin, do: :aludel |> Application.app_dir("ebin") |> Path.expand()

  defp complaint(output) do
    lines = output |> String.split("\n", trim: true) |> Enum.map(&String.trim/1)

    Enum.find(
      lines,
      List.last(lines) || "the compiler said nothing",
      &String.starts_with?(&1, ["** (", "error:"])
    )
  end

  defp edge(row) do
    {row["caller_module"], row["caller_fun"], row["caller_arity"], row["callee_module"], row["callee_fun"],
     row["callee_arity"]}
  end
end
