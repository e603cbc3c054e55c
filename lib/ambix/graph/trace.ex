defmodule Ambix.Graph.Trace do
  @moduledoc false
  # Call edges as the compiler sees them. To compile a project is to run its macros, so it is done in the sandbox, where the project's folder can only be
  # read and what is built is gone afterwards. `Ambix.Graph.Trace.Tracer` runs there.

  alias Ambix.{Error, JSON, Sandbox, Umbrella}

  @limits [
    wall_clock_ms: 1_800_000,
    cpu_seconds: 3600,
    memory_mb: 4096,
    disk_mb: 2048,
    file_mb: 256,
    output_kb: 256 * 1024,
    processes: 256
  ]

  @keys ~w(caller_module caller_fun caller_arity callee_module callee_fun callee_arity)

  @doc "The calls from function to function of a mix project that compiles, sorted."
  @spec edges(Path.t()) :: {:ok, [tuple]} | {:error, Error.t()}
  def edges(root) do
    root = Path.expand(root)

    if File.regular?(Path.join(root, "mix.exs")),
      do: compile(root),
      else: {:error, Error.new(:project, "a trace needs a mix project, and there is no mix.exs in #{root}")}
  end

  defp compile(root) do
    # What the project prints comes the same way, and must not be taken for an edge.
    mark = Base.encode16(:crypto.strong_rand_bytes(16))
    ebin = :ambix |> Application.app_dir("ebin") |> Path.expand()
    command = ["elixir", "-pa", ebin, "-e", "Ambix.Graph.Trace.Tracer.main()", mark]
    {home, env} = mix_home()
    # An app of an umbrella is compiled with its siblings and their configuration.
    tree = Umbrella.around(root) || root
    env = Map.merge(env, %{"MIX_ENV" => "dev", "MIX_BUILD_PATH" => "/tmp/build"})

    case Sandbox.run(command, [read_only: [tree, ebin | home], env: env, cd: root] ++ @limits) do
      {:ok, %{status: :exited, exit_status: 0, output: output}} -> parse(output, mark)
      {:ok, result} -> {:error, Error.new(:project, "#{root} does not compile: #{complaint(result)}")}
      {:error, error} -> {:error, error}
    end
  end

  # Where Hex and rebar are, without which many a project does not compile.
  defp mix_home do
    home = Mix.Utils.mix_home()
    if File.dir?(home), do: {[home], %{"MIX_HOME" => home}}, else: {[], %{}}
  end

  defp parse(output, mark) do
    edges =
      for line <- String.split(output, "\n"),
          String.starts_with?(line, mark),
          {:ok, row} <- [JSON.decode(String.trim_leading(line, mark))],
          edge = Enum.map(@keys, &row[&1]),
          Enum.all?(edge),
          do: List.to_tuple(edge)

    {:ok, Enum.sort(edges)}
  end

  defp complaint(%{status: :exited, output: output}) do
    lines = output |> String.split("\n", trim: true) |> Enum.map(&String.trim/1)

    Enum.find(
      lines,
      List.last(lines) || "the compiler said nothing",
      &String.starts_with?(&1, ["** (", "error:"])
    )
  end

  defp complaint(%{status: status}), do: "it was stopped at a limit of the sandbox (#{status})"
end
