defmodule Ambix.Integration.HostAppTest do
  # Ambix as an application sees it that depends on it: packed, unpacked somewhere else, compiled as a dependency, run
  # from the mix tasks and from a release; once with nothing but Elixir and once beside an optional library.
  use ExUnit.Case, async: true

  @moduletag :integration
  @moduletag timeout: 600_000

  @root Path.expand("../..", __DIR__)
  @library Path.join(["priv", "native", "ambix_native.so"])

  setup_all do
    folder = Path.join(System.tmp_dir!(), "ambix_host_#{System.pid()}")
    File.rm_rf!(folder)
    File.mkdir_p!(folder)
    on_exit(fn -> File.rm_rf!(folder) end)
    %{folder: folder, package: unpack(Path.join(folder, "ambix"))}
  end

  test "the package holds every member of the cargo workspace", %{package: package} do
    arguments = ["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]
    {output, status} = System.cmd("cargo", arguments, cd: package, stderr_to_stdout: true)
    assert status == 0, output
    assert output =~ ~s("name":"ambix_native")
  end

  test "a host without any other library", context do
    host = host(context, "plain", "ambix")
    assert_compiles_without_warnings(host)
    assert_finds_its_own_code(host)

    mix!(host, ["release", "--quiet"], %{"MIX_ENV" => "prod"})
    release = Path.join([host.path, "_build", "prod", "rel", "host"])
    assert [_] = Path.wildcard(Path.join([release, "lib", "ambix-*", @library]))

    find = ~s[Application.ensure_all_started(:host); IO.puts(Host.find("price after a discount"))]
    options = [cd: host.path, env: host.environment, stderr_to_stdout: true]
    {output, status} = System.cmd(Path.join([release, "bin", "host"]), ["eval", find], options)
    assert {status, String.trim(output)} == {0, "host/price.ex"}
  end

  for deps <- ["ambix telemetry", "telemetry ambix"] do
    test "a host that has telemetry, with the dependencies #{deps}", context do
      host = host(context, "telemetry", unquote(deps))
      assert_compiles_without_warnings(host)
      output = mix!(host, ["run", "-e", ~s[{:ok, _} = Ambix.Index.build("lib")]])
      assert output =~ "event ambix.index.build.start"
      assert output =~ "event ambix.index.build.stop"
    end
  end

  # A copy of what a package of this version would hold.
  defp unpack(package) do
    for entry <- Mix.Project.config()[:package][:files] do
      target = Path.join(package, entry)
      File.mkdir_p!(Path.dirname(target))
      File.cp_r!(Path.join(@root, entry), target)
    end

    package
  end

  defp host(context, name, deps) do
    path = Path.join(context.folder, name)
    File.rm_rf!(path)
    File.cp_r!(Path.join(__DIR__, "host_app"), path)

    environment = %{
      "MIX_ENV" => "dev",
      # A VM that is not told about UTF-8 prints a warning of its own.
      "LC_ALL" => "C.UTF-8",
      # As on a machine that has never run Ambix.
      "AMBIX_CACHE" => Path.join(context.folder, name <> "_cache"),
      "HOST_AMBIX_PATH" => context.package,
      "HOST_DEPS" => deps,
      "AMBIX_NIF_PATH" => Application.app_dir(:ambix, @library)
    }

    %{path: path, environment: environment}
  end

  defp assert_compiles_without_warnings(host) do
    output = mix!(host, ["compile", "--warnings-as-errors"])
    assert output =~ "Generated ambix app"
    refute output =~ "warning:"
  end

  defp assert_finds_its_own_code(host) do
    output = mix!(host, ["ambix.search", "price after a discount", "--json"])
    assert output =~ "lib/host/price.ex"
    assert mix!(host, ["run", "-e", ~s[IO.puts(Host.find("price after a discount"))]]) =~ "host/price.ex"
  end

  defp mix!(host, arguments, environment \\ %{}) do
    options = [cd: host.path, env: Map.merge(host.environment, environment), stderr_to_stdout: true]
    {output, status} = System.cmd("mix", arguments, options)
    assert status == 0, "mix #{Enum.join(arguments, " ")} ended with #{status}:\n#{output}"
    output
  end
end
