defmodule Ambix.NativePathTest do
  use ExUnit.Case, async: true

  @moduletag :tmp_dir

  # The first call, in a VM of its own whose library is what `AMBIX_NIF_PATH` named when it was compiled.
  @script """
  for call <- [fn -> Ambix.JSON.encode!(1) end, fn -> Ambix.Index.build(".") end] do
    try do
      IO.inspect(call.())
    rescue
      error in Ambix.Error -> IO.puts("\#{error.kind}: \#{error.message}")
    end
  end
  """

  for {what, content} <- [
        {"no library", "a text"},
        {"half a library", <<0x7F, "ELF", 2, 1, 1>>},
        {"empty", ""}
      ] do
    test "a path to what is #{what} is an error of ours at each call", %{tmp_dir: tmp} do
      ebin = Path.join(tmp, "ambix/ebin")
      native = Path.join(tmp, "ambix/priv/native")
      File.mkdir_p!(native)
      :ambix |> Application.app_dir("ebin") |> Path.expand() |> File.ln_s!(ebin)
      library = Path.join(native, "ambix_native.so")
      File.write!(library, unquote(content))

      {said, 0} = System.cmd("elixir", ["-pa", ebin, "-e", @script], stderr_to_stdout: true, cd: tmp)
      assert [one, other] = String.split(said, "\n", trim: true)
      assert one == other
      assert one =~ ~r/^not_compiled: Ambix's native library .*ambix_native.so cannot be loaded \(/
      assert one =~ "Build it with: mix deps.compile ambix --force"
    end
  end
end
