defmodule Ambix.Cargo do
  @moduledoc false
  # The Mix compiler that brings the native library to where the VM looks for it. It is a script and not a module of the
  # library because it has to run before the library is compiled. Environment:
  #
  #   AMBIX_NIF_PATH   a library that is already built; nothing is compiled
  #   AMBIX_SKIP_NIF   "1": no library at all, for building documentation or working on plain Elixir code
  #   AMBIX_FEATURES   cargo features to add, such as "cuda" or "metal"
  #   CARGO_TARGET_DIR  where cargo builds, as cargo itself understands it

  @root Path.expand("..", __DIR__)

  # Mix passes the options of the compile task, which mean nothing to cargo.
  def run(_args) do
    target = Path.join([Mix.Project.app_path(), "priv", "native", library_name()])

    cond do
      System.get_env("AMBIX_SKIP_NIF") == "1" -> {:noop, []}
      path = System.get_env("AMBIX_NIF_PATH") -> take(Path.expand(path), target)
      fresh?(target) -> {:noop, []}
      true -> build(target)
    end
  end

  defp take(path, target) do
    cond do
      not File.regular?(path) ->
        fail("AMBIX_NIF_PATH names #{path}, which is not a file; unset it to build the library from source")

      Mix.Utils.stale?([path], [target]) or File.stat!(path).size != File.stat!(target).size ->
        install(path, target, nil)

      true ->
        {:noop, []}
    end
  end

  defp build(target) do
    case System.find_executable("cargo") do
      nil ->
        fail("""
        cargo is not on the PATH, and Ambix's native library has to be compiled. Install Rust 1.91 or newer, \
        or set AMBIX_NIF_PATH to a library that is already built.\
        """)

      cargo ->
        Mix.shell().info("Compiling Ambix's native library with cargo (the first time takes minutes)")
        args = ["build", "--locked", "--release", "-p", "ambix_native"] ++ features()

        # On standard output a server of a protocol speaks that this may be compiled for.
        case System.cmd(cargo, args, cd: @root, into: IO.stream(:stderr, :line), stderr_to_stdout: true) do
          {_, 0} -> install(Path.join([target_dir(), "release", artifact_name()]), target, wanted_features())
          {_, status} -> fail("cargo ended with status #{status}; what it said stands above")
        end
    end
  end

  # Copied beside the target and renamed: a VM that runs keeps the file it mapped, and no reader sees half a file.
  defp install(source, target, features) do
    File.mkdir_p!(Path.dirname(target))
    temporary = target <> ".#{System.pid()}"
    File.cp!(source, temporary)
    # Without the note it is not taken for one that was built here.
    File.rm(with_features(target))
    File.rename!(temporary, target)
    if features, do: File.write!(with_features(target), features)
    {:ok, []}
  end

  # What it was built with stands beside it: the same sources give another library with other features.
  defp fresh?(target) do
    File.regular?(target) and File.read(with_features(target)) == {:ok, wanted_features()} and
      not Mix.Utils.stale?(sources(), [target])
  end

  defp with_features(target), do: target <> ".features"

  # Whatever is under `src` may be included, and models are.
  defp sources do
    patterns = [
      "Cargo.{toml,lock}",
      "rust-toolchain{,.toml}",
      ".cargo/config{,.toml}",
      "{crates,native}/*/{Cargo.toml,build.rs}",
      "{crates,native}/*/{src,models}/**/*"
    ]

    patterns |> Enum.flat_map(&Path.wildcard(Path.join(@root, &1))) |> Enum.filter(&File.regular?/1)
  end

  defp wanted_features, do: System.get_env("AMBIX_FEATURES", "")

  defp features do
    case wanted_features() do
      "" -> []
      features -> ["--features", features]
    end
  end

  defp target_dir do
    case System.get_env("CARGO_TARGET_DIR") do
      nil -> Path.join(@root, "target")
      dir -> Path.expand(dir, @root)
    end
  end

  defp library_name do
    case :os.type() do
      {:win32, _} -> "ambix_native.dll"
      _ -> "ambix_native.so"
    end
  end

  defp artifact_name do
    case :os.type() do
      {:win32, _} -> "ambix_native.dll"
      {:unix, :darwin} -> "libambix_native.dylib"
      _ -> "libambix_native.so"
    end
  end

  defp fail(sentence) do
    Mix.shell().error("** (ambix) " <> sentence)
    {:error, []}
  end
end
