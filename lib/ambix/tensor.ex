defmodule Ambix.Tensor do
  @moduledoc false
  @compile {:no_warn_undefined, Nx}

  # Matrices of the native library as tensors of Nx. The binary is shown to it as it is, and Nx keeps it: nothing is copied.

  alias Ambix.Optional

  @doc "Raises the line for mix.exs if there is no Nx."
  @spec require!() :: :ok
  def require!, do: Optional.require!(Nx, "0.6")

  @doc "A tensor of floats of the shape `{rows, columns}`."
  @spec from({binary, non_neg_integer, non_neg_integer}) :: struct
  def from({binary, rows, columns}), do: binary |> Nx.from_binary({:f, 32}) |> Nx.reshape({rows, columns})
end
