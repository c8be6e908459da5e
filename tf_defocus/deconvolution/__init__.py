"""Deconvolution with a known or estimated blur: Wiener as a layer, classical baselines.

What papers compare their networks with: estimate a defocus map, then deconvolve with
it. `two_step.TwoStepRestorer` has a Restorer's interface, so its rows stand in the same
tables.
"""
