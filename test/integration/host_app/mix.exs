defmodule Host.MixProject do
  use Mix.Project

  def project do
    [app: :host, version: "1.0.0", elixir: "~> 1.14", deps: deps()]
  end

  def application do
    [extra_applications: [:logger], mod: {Host.Application, []}]
  end

  # The test says which there are and in which order.
  defp deps do
    for name <- String.split(System.fetch_env!("HOST_DEPS")) do
      path = if name == "ambix", do: System.fetch_env!("HOST_AMBIX_PATH"), else: "fakes/" <> name
      {String.to_atom(name), path: path}
    end
  end
end
