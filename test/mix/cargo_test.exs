defmodule Ambix.CargoTest do
  use ExUnit.Case, async: true

  @moduletag :tmp_dir

  # The compiler with sources of its own, a cargo that only writes what is to be there, and a project that asks for it.
  setup %{tmp_dir: tmp} do
    for {path, text} <- [
          {"native/cargo.exs", File.read!("native/cargo.exs")},
          {"crates/core/src/lib.rs", ""},
          {"crates/core/src/table.txt", ""},
          {"crates/core/models/words.bin", ""},
          {"crates/core/build.rs", ""},
          {"Cargo.toml", ""},
          {"host/mix.exs",
           "defmodule Host do\n  use Mix.Project\n  def project, do: [app: :host, version: \"1.0.0\"]\nend\n"},
          {"bin/cargo",
           "#!/bin/sh\nmkdir -p \"$CARGO_TARGET_DIR/release\"\necho \"$@\" | tee " <> libraries() <> "\n"}
        ] do
      path = Path.join(tmp, path)
      File.mkdir_p!(Path.dirname(path))
      File.write!(path, text)
      # As if it had been there for long.
      File.touch!(path, System.os_time(:second) - 100)
    end

    File.chmod!(Path.join(tmp, "bin/cargo"), 0o755)
    :ok
  end

  defp libraries,
    do:
      Enum.map_join(~w(libambix_native.so libambix_native.dylib), " ", &"\"$CARGO_TARGET_DIR/release/#{&1}\"")

  # In one VM, since each takes its time to start.
  @script """
  Code.require_file("../native/cargo.exs")

  built? = fn features ->
    System.put_env("AMBIX_FEATURES", features)
    match?({:ok, []}, Ambix.Cargo.run([]))
  end

  newer = fn path, seconds -> File.touch!("../" <> path, System.os_time(:second) + seconds) end

  changed =
    for path <- ~w(crates/core/src/table.txt crates/core/models/words.bin crates/core/build.rs) do
      newer.(path, 100)
      built = built?.("")
      newer.(path, -100)
      {built, built?.("")}
    end

  IO.inspect({built?.(""), changed, built?.("cuda"), built?.("cuda"), built?.("")}, label: "built")
  """

  @tag timeout: 300_000
  test "whatever the library is made of builds it again, and so do other features", %{tmp_dir: tmp} do
    env = [
      {"PATH", Path.join(tmp, "bin") <> ":" <> System.get_env("PATH")},
      {"CARGO_TARGET_DIR", Path.join(tmp, "target")},
      {"AMBIX_NIF_PATH", nil},
      {"AMBIX_SKIP_NIF", nil},
      {"MIX_ENV", "dev"}
    ]

    args = ["run", "--no-compile", "--no-start", "--no-deps-check", "-e", @script]
    {said, 0} = System.cmd("mix", args, cd: Path.join(tmp, "host"), env: env, stderr_to_stdout: true)
    assert said =~ "build --locked --release -p ambix_native\n"
    assert said =~ "build --locked --release -p ambix_native --features cuda\n"
    assert said =~ "built: {false, [true: false, true: false, true: false], true, false, true}\n"
  end
end
