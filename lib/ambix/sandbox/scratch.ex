defmodule Ambix.Sandbox.Scratch do
  @moduledoc false
  # A private folder of the host, from which single files are bound into one sandbox.

  alias Ambix.Error

  # What a program finds in /etc: no line of it comes from the host.
  @etc %{
    "hosts" => "127.0.0.1 localhost\n::1 localhost\n",
    "passwd" => "sandbox:x:65534:65534::/tmp/home:/bin/sh\n",
    "group" => "sandbox:x:65534:\n"
  }

  @doc """
  Makes the folder and calls `fun` with it. Where a file cannot be written, by `fun` either, the answer is an error, and the
  folder is gone; else the folder is for whoever got it to delete.
  """
  @spec with_new((Path.t() -> result)) :: result | {:error, Error.t()} when result: term()
  def with_new(fun) do
    # mkdir fails if the name is taken, so it need not be secret.
    name = "ambix-#{System.pid()}-#{Integer.to_string(:rand.uniform(0xFFFFFFFFFF), 36)}"
    folder = Path.join(System.tmp_dir!(), name)

    try do
      File.mkdir!(folder)
      File.chmod!(folder, 0o700)
      for {name, text} <- @etc, do: write!(folder, name, text)
      fun.(folder)
    rescue
      error in File.Error ->
        File.rm_rf(folder)
        reason = :file.format_error(error.reason)
        message = "the sandbox cannot be prepared in #{folder}: #{reason}"
        {:error, %Error{kind: :io, message: message, details: %{path: folder}}}
    end
  end

  @doc "Writes a file that the sandbox may read, and answers with its path."
  @spec write!(Path.t(), String.t(), iodata()) :: Path.t()
  def write!(folder, name, content) do
    path = Path.join(folder, name)
    File.write!(path, content)
    File.chmod!(path, 0o644)
    path
  end

  @doc "Where the files of `/etc` are to be bound: `{host, inside}`."
  @spec binds(Path.t()) :: [{Path.t(), Path.t()}]
  def binds(folder), do: for(name <- Map.keys(@etc), do: {Path.join(folder, name), "/etc/" <> name})
end
