"""A training step of a network on Keras' PyTorch backend. KERAS_BACKEND must be `torch`."""

import os

import keras
import torch

from pale_tf import pale_network

SIZE = 224


def make_step(network, batch, size=SIZE):
    """Makes a function that trains a network for one step of AdamW, and returns the loss.

    Args:
        network: Name in `pale_tf.configs.NETWORKS`.
        batch: Images.
        size: Height and width of the images, in pixels.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    keras.utils.set_random_seed(0)
    model = pale_network(network, input_shape=(size, size, 3), classes=1000)
    images, labels = torch.rand(batch, size, size, 3) * 255, torch.arange(batch)
    weights = [variable.value for variable in model.trainable_variables]
    optimizer = torch.optim.AdamW(weights, 1e-4, weight_decay=0.05)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.nll_loss(torch.log(model(images, training=True)), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step
