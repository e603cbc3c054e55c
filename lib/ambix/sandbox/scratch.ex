defmodule Ambix.Sandbox.Scratch do
  @moduledoc false
  # A private folder of the host, from which single files are bound into one sandbox.
  #
  # Its name says whose it is, so that what a VM has left behind that was killed is deleted by the next one: the number
  # of its process, when that started, and in which namespace it has this number.

  alias Ambix.Error
  alias Ambix.Sandbox.Processes

  # What a program finds in /etc: no line of it comes from the host.
  @etc %{
    "hosts" => "127.0.0.1 localhost\n::1 localhost\n",
    "passwd" => "sandbox:x:65534:65534::/tmp/home:/bin/sh\n",
    "group" => "sandbox:x:65534:\n"
  }

  @doc """
  Makes the folder and calls `fun` with it. If that answers with an error, or if a file cannot be written, the folder is gone;
  else it is for whoever got it to delete.
  """
  @spec with_new((Path.t() -> result)) :: result | {:error, Error.t()} when result: term()
  def with_new(fun) do
    folder = Path.join(System.tmp_dir!(), name())
    sweep(System.tmp_dir!(), &File.rm_rf/1)

    try do
      File.mkdir!(folder)
      File.chmod!(folder, 0o700)
      for {name, text} <- @etc, do: write!(folder, name, text)

      with {:error, error} <- fun.(folder) do
        File.rm_rf(folder)
        {:error, error}
      end
    rescue
      error in File.Error ->
        File.rm_rf(folder)
        reason = :file.format_error(error.reason)
        message = "the sandbox cannot be prepared in #{folder}: #{reason}"
        {:error, %Error{kind: :io, message: message, details: %{path: folder}}}
    end
  end

  @doc "A name for a folder of this VM. Whoever makes one fails if the name is taken, so it need not be secret."
  @spec name() :: String.t()
  def name do
    pid = System.pid()
    started = with {_, started} <- Processes.identify(String.to_integer(pid)), do: started
    "ambix-#{pid}-#{started || 0}-#{namespace()}-#{Integer.to_string(:rand.uniform(0xFFFFFFFFFF), 36)}"
  end

  @doc "Calls `delete` with the folders in `parent` whose VM, of this namespace, does not live any more."
  @spec sweep(Path.t(), (Path.t() -> term())) :: :ok
  def sweep(parent, delete) do
    own = namespace()

    for name <- parent |> File.ls() |> names(),
        [_, pid, started, ^own] <- [Regex.run(~r/\Aambix-(\d+)-(\d+)-(\d+)-[0-9A-Z]+\z/, name)],
        not Processes.alive?({String.to_integer(pid), started}),
        path = Path.join(parent, name),
        mine?(path) do
      delete.(path)
    end

    :ok
  end

  # Somebody else's folder could become a link while it is being deleted.
  defp mine?(path) do
    with {:ok, %{type: :directory, uid: uid}} <- File.lstat(path),
         {:ok, %{uid: ^uid}} <- File.stat("/proc/self"),
         do: true,
         else: (_ -> false)
  end

  defp names({:ok, names}), do: Enum.filter(names, &String.valid?/1)
  defp names({:error, _}), do: []

  # Where there is no /proc nobody can be asked about other processes: such a name belongs to no one.
  defp namespace do
    with {:ok, target} <- File.read_link("/proc/self/ns/pid"),
         [number] <- Regex.run(~r/\d+/, target),
         do: number,
         else: (_ -> "none")
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
