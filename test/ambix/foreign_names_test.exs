defmodule Ambix.ForeignNamesTest do
  # The table of atoms is the VM's: not async, so that no other test fills it meanwhile.
  use ExUnit.Case, async: false

  import ExUnit.CaptureIO

  alias Ambix.{Fix, Packages, Quoted, Umbrella}
  alias Ambix.Sandbox.{Fixture, Project}

  @moduletag timeout: 240_000
  @names 4_000

  @moduletag :tmp_dir

  setup %{tmp_dir: tmp} do
    Ambix.Test.Setup.put_env(%{"AMBIX_CACHE" => tmp})
  end

  # Names of every form that Elixir has, none of which was seen before.
  defp names(count) do
    seed = Integer.to_string(:rand.uniform(0xFFFFFFFFFF), 36) |> String.downcase()
    for n <- 1..count, do: "x#{seed}#{n}"
  end

  defp forms(names) do
    names
    |> Enum.with_index()
    |> Enum.map_join("\n", fn {name, n} ->
      case rem(n, 10) do
        0 -> "    :#{name}"
        1 -> "    :\"#{name} quoted\""
        2 -> "    [#{name}: 1]"
        3 -> "    [\"#{name} key\": 1]"
        4 -> "    #{String.capitalize(name)}.Nested"
        5 -> "    fn #{name} -> #{name} end"
        6 -> "    &#{String.capitalize(name)}.#{name}/1"
        7 -> "    %{#{name}?: 1}"
        8 -> "    ~w(#{name})a"
        9 -> "    #{name}!(1)"
      end
    end)
  end

  defp mix(names) do
    """
    defmodule Many.MixProject do
      use Mix.Project
      def project, do: [app: :many, version: "0.1.0", deps: [{:near, path: "vendor/near"}]]
      if false do
    #{forms(names)}
      end
    end
    """
  end

  defp project(count) do
    Fixture.create(%{
      "mix.exs" => mix(names(count)),
      "vendor/near/mix.exs" => mix(names(count)),
      "lib/many.ex" => "defmodule Many do\n#{forms(names(count))}\nend\n",
      "mix.lock" =>
        "%{\n#{Enum.map_join(names(count), "\n", &"  \"#{&1}\": {:hex, :#{&1}, \"1.0.0\"},")}\n}\n",
      "deps/near/lib/near.ex" => "defmodule Near do\nend\n"
    })
  end

  defp task(task, argv) do
    capture_io(:stderr, fn ->
      capture_io(fn ->
        try do
          task.run(argv)
        catch
          :exit, {:shutdown, _} -> :ok
        end
      end)
    end)
  end

  @entries [
    fix: quote(do: &Fix.run(&1, budget: 20, workers: 1)),
    project: quote(do: &with({:ok, server} <- Project.start_link(root: &1), do: Project.stop(server))),
    packages: quote(do: &Packages.list(&1, elixir: false)),
    umbrella: quote(do: &{Umbrella.apps(&1), Umbrella.around(&1), Umbrella.needs(&1, ".")}),
    doctor: quote(do: fn _ -> task(Mix.Tasks.Ambix.Doctor, []) end),
    index: quote(do: &task(Mix.Tasks.Ambix.Index, ["--root", &1, "--quiet"])),
    search: quote(do: &task(Mix.Tasks.Ambix.Search, ["near", "--root", &1, "--quiet"])),
    lookup: quote(do: &task(Mix.Tasks.Ambix.Lookup, ["near", "--root", &1, "--quiet"])),
    grep: quote(do: &task(Mix.Tasks.Ambix.Grep, ["near", "--root", &1, "--quiet"])),
    graph: quote(do: &task(Mix.Tasks.Ambix.Graph, ["dead", "--root", &1, "--quiet"])),
    context: quote(do: &task(Mix.Tasks.Ambix.Context, ["near", "--root", &1, "--quiet"])),
    status: quote(do: &task(Mix.Tasks.Ambix.Status, ["--root", &1, "--quiet"]))
  ]

  for {name, entry} <- @entries do
    test "what a project names makes no atoms: #{name}" do
      run = unquote(entry)
      # Code that is loaded for the first time has names as well.
      run.(project(10))
      root = project(@names)
      before = :erlang.system_info(:atom_count)
      run.(root)
      assert :erlang.system_info(:atom_count) - before < div(@names, 10)
    end
  end

  test "the syntax of a text has its names as strings" do
    assert {:ok, syntax} = Quoted.parse(~S([path: "a", "odd key": 1, b: :path]))
    assert syntax == [{"path", "a"}, {"odd key", 1}, {"b", "path"}]
    assert Quoted.values(syntax, "path") == ["a"]
    assert Quoted.parse("[") == :error
    assert Quoted.parse(<<255>>) == :error
    assert Quoted.parse(String.duplicate("a\n", 600_000)) == :error
    assert Quoted.read("/dev/zero") == :error
    assert Quoted.read("/no/such/file") == :error
  end

  # What makes atoms or code of data, and the files that may: names there are ours, or the code runs in the sandbox.
  @makers [
    {~r/to_atom\b/, ["optional.ex", "sandbox/session.ex"]},
    {~r/existing_atoms_only: false/, []},
    {~r/string_to_quoted/, ["quoted.ex"]},
    {~r/binary_to_term\((?!.*\[:safe\])/, ["sandbox/session.ex"]},
    {~r/Module\.concat/,
     ["supervisor.ex", "index/server.ex", "index/tree.ex", "mcp.ex", "model/server.ex", "tool/host.ex"]},
    {~r/:file\.(consult|eval|script)/, ["packages/listing.ex"]},
    {~r/Code\.(eval|compile|require|load)_/, ["graph/trace/tracer.ex", "sandbox/pool.ex"]},
    {~r/:erl_(scan|parse|eval)/, []},
    {~r/keys: :atoms/, []}
  ]

  test "nothing in the library makes atoms of what others say" do
    for path <- Path.wildcard("lib/**/*.ex"),
        not String.starts_with?(path, "lib/ambix/sandbox/driver"),
        text = File.read!(path),
        {pattern, allowed} <- @makers,
        Path.relative_to(path, "lib/ambix") not in allowed do
      refute text =~ pattern, "#{path} has #{inspect(Regex.run(pattern, text))}"
    end
  end
end
