defmodule Nx do
  @moduledoc false
  # Stands in for the library of this name: a "tensor" here says which calls made it.

  def from_binary(binary, type), do: {:tensor, type, byte_size(binary)}
  def reshape({:tensor, type, bytes}, shape), do: {:tensor, type, bytes, shape}
end
