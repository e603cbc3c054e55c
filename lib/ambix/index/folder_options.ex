defmodule Ambix.Index.FolderOptions do
  @moduledoc false
  # The options of whatever reads a folder of code, and keeps its index in a file.

  alias Ambix.Options

  @options [
    progress: [
      type: {:fun, 1},
      default: nil,
      doc: "called in the calling process with `%{phase: atom, done: n, total: n}` while the work goes on"
    ],
    index: [
      type: :string,
      default: nil,
      arg: "FILE",
      doc: "the file of the index; by default one in the cache folder for each root"
    ],
    encoder: [
      type: {:struct, Ambix.Model.Encoder},
      default: nil,
      doc: "an encoder: chunks without a vector get one before this returns"
    ],
    max_file_bytes: [
      type: :pos_integer,
      default: 1_048_576,
      unit: :bytes,
      arg: "MIB",
      doc: "larger files give a diagnostic"
    ],
    max_memory: [
      type: :pos_integer,
      default: nil,
      unit: :bytes,
      arg: "MIB",
      doc:
        "memory that the index may take, about. Where it would take more, tables for `Ambix.Index.grep/3` are not made, the vectors " <>
          "of an encoder are dropped for the index's own, and what still does not fit is an error `:limit`"
    ],
    max_disk: [
      type: :pos_integer,
      default: nil,
      unit: :bytes,
      arg: "MIB",
      doc:
        "the largest that the file of the index may be. The vectors of an encoder are left out where it fits without them; else it is " <>
          "an error `:limit`, and the file stays as it was"
    ],
    max_cache: [
      type: :pos_integer,
      default: 10 * 1024 * 1024 * 1024,
      unit: :bytes,
      arg: "MIB",
      doc:
        "the most that all index files in the cache folder may have together: those go that were not used for longest, but never the " <>
          "one that is written"
    ],
    wait: [
      type: :milliseconds,
      default: 5_000,
      doc: "milliseconds to wait while another process uses the file"
    ],
    nested_repositories: [
      type: :boolean,
      default: false,
      doc:
        "whether repositories, worktrees and submodules below the root are read; without it each gives a diagnostic"
    ],
    any_root: [
      type: :boolean,
      default: false,
      doc: "whether the root of the file system, a home folder or a folder of the system may be indexed"
    ]
  ]

  @doc "Those of these names."
  @spec take([atom | {atom, keyword}]) :: Options.schema()
  def take(names), do: Options.take(@options, names)
end
