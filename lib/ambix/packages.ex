defmodule Ambix.Packages do
  alias Ambix.Options
  alias Ambix.Packages.{Listing, Outline, Package}

  @moduledoc """
  Indexes of what a project calls: its dependencies, Elixir and Erlang/OTP, each in the version that it uses.

      {:ok, packages} = Ambix.Packages.open(".")
      {:ok, answer} = Ambix.Packages.search(packages, "make a changeset from params")
      hd(answer.results).package

  Dependencies are read from `deps`, and `mix.lock` says their versions; those by path are read where `mix.exs` says, inside of folders
  that are allowed. Nothing of them is compiled or run. Of Elixir and
  Erlang/OTP the documentation is read that is in the compiled modules, which is there wherever they run: each module gives a
  file with the heads of its functions and their documentation.

  Every package has an index of its own in the cache folder, by name, version and content. So all projects of a machine share
  them, a package is read once, and one that was changed in place is another one.
  """

  alias Ambix.{Error, Files, Index, PathDependencies, Telemetry}
  alias Ambix.Index.{Cache, FolderOptions, SearchOptions}

  @enforce_keys [:entries]
  defstruct [:entries]

  @typedoc """
  A place in a package: as in `Ambix.Index`, with `package`, which is nil for a place in the project itself, and `path`, the file on this
  machine; `file` is relative to the package.
  """
  @type result :: map

  @typedoc "Packages and their indexes, by name."
  @type t :: %__MODULE__{entries: [{Package.t(), Index.t()}]}

  @list_options [
    elixir: [type: :boolean, default: true, doc: "whether the applications of Elixir and of Erlang/OTP count"],
    otp: [
      type: {:list, :atom},
      default: [:kernel, :stdlib],
      doc: "which applications of Erlang/OTP"
    ],
    only: [
      type: {:list, :string},
      default: nil,
      doc: "only packages of these names"
    ],
    allow_paths: [
      type: {:list, :string},
      default: nil,
      doc:
        "folders outside of the project of which dependencies by path are read, by default those of `config :ambix, allow_paths: [...]`"
    ]
  ]

  @doc """
  The packages of the project in `root`: dependencies first, then Elixir, then Erlang/OTP.

  ## Options
  #{Options.docs(@list_options)}
  """
  @spec list(Path.t(), keyword) :: {:ok, [Package.t()]} | {:error, Error.t()}
  def list(root, opts \\ []) do
    opts = Options.validate!(opts, @list_options)

    with {:ok, root} <- Files.expand(root, "root"),
         {:ok, allowed} <- PathDependencies.allowed(opts[:allow_paths]) do
      if File.dir?(root) do
        packages =
          Listing.dependencies(root, allowed) ++
            if(opts[:elixir], do: Listing.installed(opts[:otp]), else: [])

        chosen(packages, opts[:only])
      else
        {:error, Error.new(:not_found, "there is no folder #{root}", %{path: root})}
      end
    end
  end

  defp chosen(packages, nil), do: {:ok, packages}

  defp chosen(packages, names) do
    known = Enum.map(packages, & &1.name)

    case Enum.find(names, &(&1 not in known)) do
      nil ->
        {:ok, Enum.filter(packages, &(&1.name in names))}

      name ->
        message = "there is no package #{name}" <> Options.did_you_mean(name, known)
        {:error, Error.new(:not_found, message, %{name: name})}
    end
  end

  @open_options @list_options ++
                  FolderOptions.take(
                    progress: [
                      doc:
                        "called with `%{phase: :packages, done: n, total: n}` in the calling process while the work goes on"
                    ]
                  )

  @doc """
  Opens the indexes of the packages of the project in `root`, and makes those that are not there yet.

  ## Options
  #{Options.docs(@open_options)}
  """
  @spec open(Path.t(), keyword) :: {:ok, t} | {:error, Error.t()}
  def open(root, opts \\ []) do
    opts = Options.validate!(opts, @open_options)

    with {:ok, packages} <- list(root, Keyword.take(opts, Keyword.keys(@list_options))) do
      total = length(packages)

      Telemetry.span([:ambix, :packages, :open], %{}, fn ->
        packages
        |> Enum.with_index()
        |> Enum.reduce_while([], fn {package, done}, entries ->
          if opts[:progress], do: opts[:progress].(%{phase: :packages, done: done, total: total})

          case index(package) do
            {:ok, index} -> {:cont, [{package, index} | entries]}
            {:error, error} -> {:halt, {:error, error}}
          end
        end)
        |> case do
          {:error, error} -> {:error, error}
          entries -> {:ok, %__MODULE__{entries: Enum.reverse(entries)}}
        end
      end)
    end
  end

  @search_options [
                    index: [
                      type: {:struct, Index},
                      default: nil,
                      doc: "the index of the project, which is searched with the packages"
                    ]
                  ] ++ Options.take(Options.of(Index, :search), [:limit, :mode, :kinds, :modules])

  @doc """
  The places in all packages that answer `query`, best first. What a word is worth, and how near a meaning is, is measured over all of
  them, as if they were one.

  ## Options
  #{Options.docs(@search_options)}
  """
  @spec search(t, String.t(), keyword) ::
          {:ok, %{results: [result], made_from: Index.made_from()}} | {:error, Error.t()}
  def search(packages, query, opts \\ []) do
    opts = Options.validate!(opts, @search_options)

    Telemetry.span([:ambix, :packages, :search], %{mode: opts[:mode]}, fn ->
      with {:ok, places} <- places(packages, opts[:index]),
           resources = Enum.map(places, fn {_, index} -> index.resource end),
           {:ok, answer} <- Index.search_all(resources, query, Keyword.delete(opts, :index)) do
        results = for {nth, result} <- answer.results, do: placed(result, Enum.at(places, nth))
        {:ok, %{answer | results: results}}
      end
    end)
  end

  @context_options SearchOptions.packing() ++ Keyword.delete(@search_options, :limit)

  @doc """
  What a prompt about `query` should hold, as `Ambix.Index.context/3` packs it, from all packages. Paths stand behind the name and the
  version of their package, as in `ecto-3.12.1/lib/ecto/repo.ex`, so that an answer cites what the project uses; each section has also
  `package` and `path`.

  Errors: `:invalid_argument` for a question without text.

  ## Options
  #{Options.docs(@context_options)}
  """
  @spec context(t, String.t(), keyword) :: {:ok, map} | {:error, Error.t()}
  def context(packages, query, opts \\ []) do
    opts = Options.validate!(opts, @context_options)

    Telemetry.span([:ambix, :packages, :search], %{mode: opts[:mode]}, fn ->
      with {:ok, places} <- places(packages, opts[:index]),
           named = Enum.map(places, fn {package, index} -> {index.resource, shown(package)} end),
           {:ok, context} <- Index.context_all(named, query, Keyword.delete(opts, :index)) do
        sections = for {nth, section} <- context.sections, do: shown_place(section, Enum.at(places, nth))
        {:ok, %{context | sections: sections}}
      end
    end)
  end

  @doc false
  # The name and the version of a package, which stand before the paths of its files.
  @spec shown(Package.t() | nil) :: String.t()
  def shown(nil), do: ""
  def shown(package), do: Enum.join(Enum.reject([package.name, package.version], &is_nil/1), "-")

  # The name is in front of the path only where it is shown.
  defp shown_place(section, {package, _} = place) do
    file = if package, do: String.replace_prefix(section.file, shown(package) <> "/", ""), else: section.file
    %{placed(%{section | file: file}, place) | file: section.file}
  end

  @lookup_options [
                    index: [
                      type: {:struct, Index},
                      default: nil,
                      doc: "the index of the project, where names are looked for first"
                    ]
                  ] ++ Options.take(Options.of(Index, :lookup), [:kinds, :limit])

  # From `Ambix.Index.lookup/3`, the best first.
  @fits ~w(exact tail case prefix abbreviation typo)

  @doc """
  The definitions of that name in all packages, as `Ambix.Index.lookup/3` finds them: what fits best first, of equals those of the
  project, of dependencies, of Elixir and of Erlang/OTP.

  ## Options
  #{Options.docs(@lookup_options)}
  """
  @spec lookup(t, String.t(), keyword) :: {:ok, %{results: [result]}} | {:error, Error.t()}
  def lookup(packages, name, opts \\ []) do
    opts = Options.validate!(opts, @lookup_options)
    with {:ok, places} <- places(packages, opts[:index]), do: looked_up(places, name, opts)
  end

  defp looked_up(places, name, opts) do
    options = Keyword.take(opts, [:kinds, :limit])

    places
    |> Enum.reduce_while([], fn {_, index} = place, found ->
      case Index.lookup(index, name, options) do
        {:ok, %{results: named}} -> {:cont, [Enum.map(named, &placed(&1, place)) | found]}
        {:error, error} -> {:halt, {:error, error}}
      end
    end)
    |> case do
      {:error, error} ->
        {:error, error}

      found ->
        results = found |> Enum.reverse() |> Enum.concat() |> nearest() |> Enum.take(opts[:limit])
        {:ok, %{results: results}}
    end
  end

  # Where something has the name, what only looks like it is not wanted, whichever package it is in.
  defp nearest(found) do
    found = Enum.sort_by(found, &fit/1)
    bound = if found != [] and fit(hd(found)) <= 2, do: 3, else: length(@fits)
    Enum.take_while(found, &(fit(&1) <= bound))
  end

  defp fit(named), do: Enum.find_index(@fits, &(&1 == named.fit))

  @doc false
  # The options of each function: see `Ambix.Options`.
  @spec schemas() :: [{atom, Options.schema()}]
  def schemas do
    [
      list: @list_options,
      open: @open_options,
      search: @search_options,
      context: @context_options,
      lookup: @lookup_options
    ]
  end

  defp places(%__MODULE__{entries: entries}, nil), do: {:ok, entries}
  defp places(%__MODULE__{entries: entries}, index), do: {:ok, [{nil, index} | entries]}
  defp places(_other, _index), do: {:error, Error.new(:invalid_argument, "expected an Ambix.Packages")}

  defp placed(result, {package, index}) do
    # What another project has made has its folder for a root; that of an outline is where the outline is.
    root = if package && package.source not in [:elixir, :otp], do: package.path, else: index.root
    Map.merge(result, %{package: package, path: Path.join(root, result.file)})
  end

  defp index(package) do
    with {:ok, print} <- fingerprint(package) do
      name = Enum.join(Enum.reject([package.name, package.version, print], &is_nil/1), "-")
      path = Path.join(Cache.packages(), String.replace(name, ~r/[^\w.+-]/u, "_"))

      case Index.open(path <> ".ambix") do
        {:ok, index} ->
          {:ok, index}

        # It can be made again from what it was made from.
        {:error, %{kind: kind}} when kind in [:not_found, :outdated, :version, :corrupt] ->
          make(package, path)

        {:error, error} ->
          {:error, error}
      end
    end
  end

  defp make(package, path) do
    with {:ok, root} <- readable(package, path),
         {:ok, index} <- Index.build(root),
         :ok <- Index.save(index, path <> ".ambix"),
         do: {:ok, index}
  end

  # Dependencies are read where they are; of what is installed outlines are written first.
  defp readable(%{source: source, path: path}, _cached) when source in [:hex, :git, :path], do: {:ok, path}

  defp readable(package, cached) do
    partial = "#{cached}.#{System.pid()}.part"

    with {:ok, _} <- File.rm_rf(partial),
         :ok <- File.mkdir_p(partial),
         :ok <- Outline.write(package.path, partial),
         :ok <- replace(partial, cached) do
      {:ok, cached}
    else
      {:error, {path, reason}} -> unwritable(path, reason)
      {:error, reason, path} -> unwritable(path, reason)
      {:error, reason} -> unwritable(partial, reason)
    end
  end

  # Another process may have been faster, with the same content.
  defp replace(partial, folder) do
    case File.rename(partial, folder) do
      :ok -> :ok
      {:error, reason} when reason in [:eexist, :enotempty] -> with({:ok, _} <- File.rm_rf(partial), do: :ok)
      error -> error
    end
  end

  defp unwritable(path, reason) do
    message = "cannot write #{path}: #{:file.format_error(reason)}"
    {:error, Error.new(:io, message, %{path: path})}
  end

  # Sixteen digits that are another number where a file of the package is another one.
  defp fingerprint(%{source: source} = package) when source in [:elixir, :otp] do
    # What is installed is not changed in place but by installing, which tells by size or time.
    package.path |> Outline.beams() |> Enum.map(&{Path.basename(&1), stamp(&1)}) |> digest()
  end

  defp fingerprint(package) do
    package.path
    |> files()
    |> Task.async_stream(&{Path.relative_to(&1, package.path), content(&1)}, timeout: :infinity)
    |> Enum.map(fn {:ok, file} -> file end)
    |> digest()
  end

  @left_out ~w(.git _build deps node_modules)

  defp files(folder) do
    with {:ok, names} <- File.ls(folder) do
      Enum.flat_map(Enum.sort(names -- @left_out), fn name ->
        path = Path.join(folder, name)

        case File.lstat(path) do
          {:ok, %{type: :directory}} -> files(path)
          {:ok, %{type: :regular}} -> [path]
          _ -> []
        end
      end)
    else
      {:error, _} -> []
    end
  end

  defp content(path) do
    case Files.read(path) do
      {:ok, bytes} -> :erlang.md5(bytes)
      # What is larger is no source. Its size and time tell it from another one.
      {:error, _} -> stamp(path)
    end
  end

  defp stamp(path) do
    case File.stat(path, time: :posix) do
      {:ok, stat} -> {stat.size, stat.mtime}
      {:error, reason} -> reason
    end
  end

  defp digest(files) do
    hash = files |> :erlang.term_to_binary(minor_version: 2) |> :erlang.md5()
    {:ok, hash |> binary_part(0, 8) |> Base.encode16(case: :lower)}
  end

  defimpl Inspect do
    def inspect(packages, _opts), do: "#Ambix.Packages<#{length(packages.entries)}>"
  end
end
