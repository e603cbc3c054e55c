defmodule Ambix.PathDependenciesTest do
  # The configuration is of the whole VM.
  use ExUnit.Case, async: false

  alias Ambix.{Error, Packages, PathDependencies}
  alias Ambix.Sandbox.Project
  alias Ambix.Test.Setup

  @moduletag :tmp_dir

  defp configure(paths) do
    Application.put_env(:ambix, :allow_paths, paths)
    on_exit(fn -> Application.delete_env(:ambix, :allow_paths) end)
  end

  defp mix(app, deps),
    do:
      "defmodule #{Macro.camelize(app)}.MixProject do\n  use Mix.Project\n  def project, do: [app: :#{app}, version: \"1.0.0\", deps: [#{deps}]]\nend\n"

  defp projects(tmp) do
    Setup.write(tmp, %{
      "it/mix.exs" => mix("it", ~s({:near, path: "../near"})),
      # What a foreign project says of itself does not count.
      "it/config/config.exs" => "import Config\nconfig :ambix, allow_paths: [\"..\"]\n",
      "near/mix.exs" => mix("near", "")
    })

    {Path.join(tmp, "it"), Path.join(tmp, "near")}
  end

  test "the configuration allows what no option names, and an option replaces it", %{tmp_dir: tmp} do
    {root, near} = projects(tmp)

    names = fn opts ->
      with {:ok, all} <- Packages.list(root, [elixir: false] ++ opts), do: Enum.map(all, & &1.name)
    end

    assert names.([]) == []
    assert {:error, %Error{kind: :project, message: message}} = Project.start_link(root: root)
    assert message =~ ~s(config :ambix, allow_paths: ["#{near}"])

    # Relative to where the VM was started.
    configure([Path.relative_to(tmp, File.cwd!())])
    assert names.([]) == ["near"]
    assert names.(allow_paths: []) == []
    assert {:ok, server} = Project.start_link(root: root)
    Project.stop(server)
    assert {:error, %Error{kind: :project}} = Project.start_link(root: root, allow_paths: ["/srv"])
  end

  test "a setting that is none is a sentence", %{tmp_dir: tmp} do
    {root, _near} = projects(tmp)

    for value <- [
          "../near",
          [:near],
          [""],
          ["a\0b"],
          ["a" | "b"],
          %{},
          ["\xFF"],
          {:computed, "config/dev.exs"}
        ] do
      configure(value)

      for result <- [PathDependencies.allowed(), Packages.list(root), Project.start_link(root: root)] do
        assert {:error, %Error{kind: :invalid_argument, message: message}} = result
        assert message =~ "allow_paths of :ambix expects a list of folders" and String.valid?(message)
      end
    end
  end

  test "what a configuration sets is read without running it", %{tmp_dir: tmp} do
    set = fn files ->
      File.rm_rf!(Path.join(tmp, "config"))
      Setup.write(tmp, files)
      PathDependencies.configured(tmp)
    end

    assert set.(%{}) == nil
    assert set.(%{"config/config.exs" => "config :other, allow_paths: [\"a\"]\n((("}) == nil

    first =
      "import Config\nFile.write!(\"#{tmp}/ran\", \"\")\nconfig :ambix, x: 1, allow_paths: [\"a\", \"../b\"]\n"

    assert set.(%{"config/config.exs" => first}) == ["a", "../b"]
    dev = "import Config\nif true do\n  config :ambix, :allow_paths, [\"c\"]\nend\nconfig :ambix, []\n"
    assert set.(%{"config/config.exs" => first, "config/dev.exs" => dev}) == ["c"]

    for computed <- ["[Path.expand(\"a\")]", "\"a\"", "nil", "paths"] do
      text = "config :ambix, allow_paths: #{computed}"
      assert set.(%{"config/dev.exs" => text}) == {:computed, "config/dev.exs"}, computed
    end

    refute File.exists?(Path.join(tmp, "ran"))
  end
end
