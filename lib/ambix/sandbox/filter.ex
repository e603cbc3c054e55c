defmodule Ambix.Sandbox.Filter do
  @moduledoc false
  # The filters of system calls that bubblewrap puts on the program.

  alias Ambix.{Error, Native}

  @doc "The filters as BPF programs; none where the processor is one that they are not made for."
  @spec programs() :: {:ok, [binary()]} | {:error, Error.t()}
  def programs do
    Native.sandbox_filters()
  rescue
    _ ->
      message =
        "the native library is not loaded, and without it there is no filter of system calls for a sandbox: " <>
          "mix deps.compile ambix --force, or mix compile in Ambix's own folder"

      {:error, %Error{kind: :unavailable, message: message}}
  end
end
