defmodule Ambix.CLI.FilesTest do
  use ExUnit.Case, async: true

  alias Ambix.CLI.Files
  alias Ambix.Error

  @moduletag :tmp_dir

  test "what was written is read again", %{tmp_dir: tmp} do
    path = Path.join(tmp, "out.jsonl")
    rows = for n <- 1..3, do: %{id: "q#{n}", text: "line\nbreak \"é\" ☃"}
    assert Files.write_lines(path, rows) == :ok
    assert length(String.split(File.read!(path), "\n", trim: true)) == 3
    assert {:ok, read} = Files.read_lines(path, ["id", "text"])
    assert Enum.map(read, & &1["text"]) == Enum.map(rows, & &1.text)
    assert File.ls!(tmp) == ["out.jsonl"]
  end

  for {text, sentence} <- [
        {~s({"id": "a"}\n\n{"id": 1}\n), ~s(line 3: "id" is missing or no string)},
        {~s([1]\n), "line 1: expected a JSON object"},
        {~s({"id": "a"\n), "line 1: "}
      ] do
    test "#{inspect(text)} is refused with its line", %{tmp_dir: tmp} do
      path = Path.join(tmp, "in.jsonl")
      File.write!(path, unquote(text))
      assert {:error, %Error{kind: :corrupt, message: message}} = Files.read_lines(path, ["id"])
      assert String.starts_with?(message, path <> ", " <> unquote(sentence))
    end
  end

  test "a file that is not there is not found", %{tmp_dir: tmp} do
    assert {:error, %Error{kind: :not_found}} = Files.read_lines(Path.join(tmp, "none"), [])
    assert {:error, %Error{kind: :io}} = Files.read_lines(tmp, [])
  end

  test "an output that cannot be written leaves the old one", %{tmp_dir: tmp} do
    path = Path.join(tmp, "out.jsonl")
    File.write!(path, "old")
    # A tuple has no JSON, so the second line fails.
    assert {:error, %Error{}} = Files.write_lines(path, [%{a: 1}, {:no, :json}])
    assert File.read!(path) == "old"
    assert File.ls!(tmp) == ["out.jsonl"]
    assert {:error, %Error{kind: :io}} = Files.write_lines(Path.join(tmp, "no/folder.jsonl"), [])
  end

  test "a text keeps who may read it, and is written through no link beside it", %{tmp_dir: tmp} do
    path = Path.join(tmp, "out.json")
    File.write!(path, "old")
    File.chmod!(path, 0o600)
    other = Path.join(tmp, "other")
    File.write!(other, "kept")
    File.ln_s!(other, Files.temporary(path))
    assert Files.write_text(path, "new") == :ok
    assert File.read!(path) == "new"
    assert Bitwise.band(File.stat!(path).mode, 0o777) == 0o600
    assert File.read!(other) == "kept"
    assert Enum.sort(File.ls!(tmp)) == ["other", "out.json"]
  end

  test "a device is written to, and nothing takes its place", %{tmp_dir: tmp} do
    path = Path.join(tmp, "null")
    File.ln_s!("/dev/null", path)
    assert Files.write_lines(path, [%{a: 1}]) == :ok

    assert Files.stream_lines(path, fn append -> with(:ok <- append.(%{a: 1}), do: {:ok, :all}) end) ==
             {:ok, :all}

    assert File.read_link(path) == {:ok, "/dev/null"}
    assert File.ls!(tmp) == ["null"]
  end

  test "lines of a stream are there at once, and take the place of the old ones at the end", %{tmp_dir: tmp} do
    path = Path.join(tmp, "out.jsonl")
    File.write!(path, "old")
    error = Error.new(:model, "it went wrong")

    assert Files.stream_lines(path, fn append ->
             :ok = append.(%{n: 1})
             assert File.read!(path <> ".part") == ~s({"n":1}\n)
             {:error, error}
           end) == {:error, error}

    assert File.read!(path) == "old"
    assert File.read!(path <> ".part") == ~s({"n":1}\n)

    assert Files.stream_lines(path, fn append -> {append.(%{n: 2}), :known} end) == {:ok, :known}
    assert File.read!(path) == ~s({"n":2}\n)
    assert File.ls!(tmp) == ["out.jsonl"]
  end
end
