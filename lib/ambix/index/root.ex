defmodule Ambix.Index.Root do
  @moduledoc false
  # Which folders are taken for a project. A release that is started somewhere else than in its project, with `root: "."`, would read the
  # whole disk for minutes, or find nothing and be content.

  alias Ambix.{Error, Index}

  @system ~w(/bin /boot /dev /etc /home /lib /lib32 /lib64 /media /proc /root /run /sbin /sys /tmp /usr /var
             /Applications /Library /System /Users /Volumes /private)

  # Nothing below these is a file that somebody wrote.
  @kernel ~w(/dev /proc /sys)

  @doc "Refuses the root of the file system, folders of the system, and home folders that are no Mix project, unless any root is allowed."
  @spec check(Path.t(), boolean) :: :ok | {:error, Error.t()}
  def check(_root, true), do: :ok

  def check(root, _any_root) do
    home = System.user_home()

    cond do
      same?(root, "/") -> refuse(root, "the root of the file system")
      Enum.any?(@kernel, &String.starts_with?(root, &1 <> "/")) -> refuse(root, "no folder of files")
      home && same?(root, home) && not project?(root) -> refuse(root, "a home folder")
      home && Enum.any?(above(home), &same?(root, &1)) -> refuse(root, "a folder of home folders")
      Enum.any?(@system, &same?(root, &1)) and not project?(root) -> refuse(root, "a folder of the system")
      true -> :ok
    end
  end

  @doc "What is to be said of an index of the folder with so many files; nil if nothing is."
  @spec warning(Path.t() | nil, non_neg_integer) :: String.t() | nil
  def warning(root, 0) when root != nil do
    Ambix.Files.visible(
      "#{root} has no source to index: name the folder of a project (root), and look at what its ignore files leave out"
    )
  end

  def warning(_root, _files), do: nil

  defp project?(root), do: File.regular?(Path.join(root, "mix.exs"))

  # A link to the folder is the folder.
  defp same?(root, other), do: root == other or Index.same_folder?(root, other)

  defp above(folder) do
    folder |> Path.dirname() |> Stream.iterate(&Path.dirname/1) |> Enum.take_while(&(&1 not in ["/", "."]))
  end

  defp refuse(root, what) do
    message =
      "#{Ambix.Files.visible(root)} is #{what} and is not indexed: name the folder of a project, or allow it (any_root: true, --any-root)"

    {:error, Error.new(:invalid_argument, message, %{path: root})}
  end
end
