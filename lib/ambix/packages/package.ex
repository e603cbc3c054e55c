defmodule Ambix.Packages.Package do
  @moduledoc """
  A package that a project can call: a dependency, a part of Elixir, or an application of Erlang/OTP.

  `version` is what `mix.lock` says of a dependency: a version, or the commit of one that comes from git. `path` is where its
  files are: the folder in `deps`, or where the application is installed.
  """

  @enforce_keys [:name, :version, :source, :path]
  defstruct [:name, :version, :source, :path]

  @type source :: :hex | :git | :path | :elixir | :otp
  @type t :: %__MODULE__{name: String.t(), version: String.t() | nil, source: source, path: Path.t()}

  @doc """
  Its name and version for people; of a commit the first letters.

      iex> Ambix.Packages.Package.title(%Ambix.Packages.Package{name: "jason", version: "1.4.1", source: :hex, path: "deps/jason"})
      "jason 1.4.1"
  """
  @spec title(t) :: String.t()
  def title(%__MODULE__{name: name, version: nil}), do: name

  def title(%__MODULE__{name: name, version: commit, source: :git}),
    do: "#{name} #{String.slice(commit, 0, 8)}"

  def title(%__MODULE__{name: name, version: version}), do: "#{name} #{version}"

  defimpl String.Chars do
    def to_string(package), do: Ambix.Packages.Package.title(package)
  end
end
